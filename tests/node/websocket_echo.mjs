// A server of WebSockets that sends every message back and compresses all of them, with whatever a client
// offers of permessage-deflate. Prints the port it listens at.

import { WebSocketServer } from "ws";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: { threshold: 0 },
  maxPayload: 0,
});
server.on("connection", (socket) => {
  // Which most of the cases are about; the socket closes itself.
  socket.on("error", () => {});
  socket.on("message", (message, binary) => socket.send(message, { binary }));
});
server.on("listening", () => console.log(server.address().port));
