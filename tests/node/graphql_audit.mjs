// The audits of GraphQL over HTTP, by those who wrote them, of their own server: it listens at PORT,
// and what answers at URL is audited. Prints one line of each audit: its status, its name, and why.

import { createServer } from "node:http";
import { once } from "node:events";
import { GraphQLObjectType, GraphQLSchema, GraphQLString } from "graphql";
import { serverAudits } from "graphql-http";
import { createHandler } from "graphql-http/lib/use/http";

const Query = new GraphQLObjectType({
  name: "Query",
  fields: { hello: { type: GraphQLString, resolve: () => "world" } },
});
const handler = createHandler({ schema: new GraphQLSchema({ query: Query }) });
const server = createServer((request, response) => void handler(request, response));
server.listen(Number(process.env.PORT), "127.0.0.1");
await once(server, "listening");

for (const { name, fn } of serverAudits({ url: process.env.URL })) {
  let result;
  try {
    result = await fn();
  } catch (error) {
    result = { status: "error", reason: String(error) };
  }
  const why = result.reason ? `: ${result.reason}` : "";
  console.log(`${result.status} ${name}${why}`.replaceAll("\n", " "));
}
server.close();
server.closeAllConnections();
