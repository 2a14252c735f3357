// Makes src/lib/api-types.ts from the admin API's OpenAPI document: `npm run types -- FILE`, where
// FILE is what GET /api/v1/openapi.json of a running Weir answered.
import { readFileSync, writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";

const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
// The console names paths itself; what it takes from the document is what answers look like.
const types = astToString(await openapiTS({ ...document, paths: {} }));
const target = process.argv[3] ?? new URL("src/lib/api-types.ts", import.meta.url);
writeFileSync(
  target,
  `// Made by \`npm run types\` from the admin API's document. Do not edit.\n${types}`,
);
