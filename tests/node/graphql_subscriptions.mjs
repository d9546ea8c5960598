// Subscriptions by those who wrote their protocols: their servers listen at PORT, their clients ask at
// URL, over WebSocket and as events. Prints what each client was told, a line each.

import { createServer } from "node:http";
import { once } from "node:events";
import { GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLString } from "graphql";
import { createClient as createSocket } from "graphql-ws";
import { useServer } from "graphql-ws/use/ws";
import { createClient as createEvents } from "graphql-sse";
import { createHandler } from "graphql-sse/lib/use/http";
import { WebSocketServer } from "ws";

const Query = new GraphQLObjectType({
  name: "Query",
  fields: { hello: { type: GraphQLString, resolve: () => "world" } },
});
const Mutation = new GraphQLObjectType({
  name: "Mutation",
  fields: { rename: { type: GraphQLString, resolve: () => "renamed" } },
});
const Subscription = new GraphQLObjectType({
  name: "Subscription",
  fields: {
    count: {
      type: GraphQLInt,
      args: { first: { type: GraphQLInt } },
      subscribe: async function* (_, { first }) {
        for (let count = 1; count <= first; count++) yield { count };
      },
    },
  },
});
const schema = new GraphQLSchema({ query: Query, mutation: Mutation, subscription: Subscription });

const events = createHandler({ schema });
const server = createServer((request, response) => void events(request, response));
const sockets = new WebSocketServer({ server });
useServer({ schema }, sockets);
server.listen(Number(process.env.PORT), "127.0.0.1");
await once(server, "listening");

const url = process.env.URL;
const socket = createSocket({ url: url.replace("http", "ws"), retryAttempts: 0 });
const stream = createEvents({ url, retryAttempts: 0 });
for (const [name, client] of [["socket", socket], ["events", stream]]) {
  for (const query of [
    "{ hello }",
    "mutation { rename }",
    "subscription { count(first: 3) }",
    "subscription { count(first: 1001) }",
    "subscription { nothing }",
    "{ hello }",
  ]) {
    const told = await new Promise((resolve) => {
      const results = [];
      client.subscribe({ query }, {
        next: (result) => results.push(result.data ?? result.errors[0].extensions?.code ?? "invalid"),
        error: (errors) => resolve(errors[0]?.extensions?.code ?? errors[0]?.message ?? String(errors)),
        complete: () => resolve(results),
      });
    });
    console.log(`${name} ${query}: ${JSON.stringify(told)}`);
  }
}
await socket.dispose();
stream.dispose();
sockets.close();
server.close();
server.closeAllConnections();
