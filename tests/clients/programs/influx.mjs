// Write points with the package `influx`, configured in `client.mjs`.
// Reads batches of points, each with `measurement`, `tags`, `fields`, and `time` in milliseconds.
// Prints a line for each batch: `stored`, or what the client raised.

import { readFileSync } from "node:fs";
import { client } from "./client.mjs";

await client.createDatabase("any");
for (const batch of JSON.parse(readFileSync("batches.json"))) {
  const points = batch.map(({ time, ...point }) => ({ ...point, timestamp: time }));
  await client.writePoints(points, { precision: "ms" }).then(
    () => console.log("stored"),
    (error) => console.log(`${error}`),
  );
}
