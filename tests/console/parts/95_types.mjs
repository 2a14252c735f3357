// The document's shapes are those of real answers, and the console's types are made from it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

function check(schema, value, schemas, at) {
  if (schema.$ref) return check(schemas[schema.$ref.split("/").at(-1)], value, schemas, at);
  if (schema.anyOf) {
    const fits = schema.anyOf.map((one) => check(one, value, schemas, at));
    return fits.some((wrong) => wrong.length === 0) ? [] : fits[0];
  }
  if (schema.type === undefined) return [];
  const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  if (type !== schema.type) return [`${at}: ${type}, not ${schema.type}`];
  if (type === "array") {
    return value.flatMap((item, i) => check(schema.items, item, schemas, `${at}[${i}]`));
  }
  if (type !== "object") return [];
  const known = schema.properties;
  if (known === undefined) return [];
  return [
    ...schema.required.filter((name) => !(name in value)).map((name) => `${at}.${name}: missing`),
    ...Object.entries(value).flatMap(([name, inner]) =>
      known[name] === undefined
        ? [`${at}.${name}: not in the document`]
        : check(known[name], inner, schemas, `${at}.${name}`),
    ),
  ];
}

export const tests = {
  async "answers have the shape that the document says"(world) {
    const document = await world.gateway.admin("/api/v1/openapi.json");
    const { schemas } = document.components;
    const row = await world.ask("Hello", { stream: true });
    let seen = 0;
    for (const [path, operations] of Object.entries(document.paths)) {
      const schema = operations.get?.responses["200"].content?.["application/json"].schema;
      if (schema === undefined) continue;
      const target = path.replace("{id}", row.id);
      if (target.includes("{")) continue;
      const answer = await fetch(world.gateway.adminUrl + target, {
        headers: { authorization: "Bearer admin-token-of-the-suite" },
      });
      if (!answer.ok) continue; // an id of another kind
      assert.deepEqual(check(schema, await answer.json(), schemas, target), []);
      seen += 1;
    }
    assert.ok(seen >= 6, `${seen} routes`);
  },

  async "the console's types are those of the document, and its sources are sound"(world) {
    const web = path.resolve(import.meta.dirname, "../../../web");
    if (!existsSync(path.join(web, "node_modules"))) return "the console was not built here";
    const folder = mkdtempSync(path.join(tmpdir(), "weir-types-"));
    try {
      const document = path.join(folder, "openapi.json");
      const made = path.join(folder, "api-types.ts");
      writeFileSync(
        document,
        JSON.stringify(await world.gateway.admin("/api/v1/openapi.json")),
      );
      execFileSync("node", ["types.mjs", document, made], { cwd: web });
      assert.equal(
        readFileSync(made, "utf8"),
        readFileSync(path.join(web, "src/lib/api-types.ts"), "utf8"),
        "web/src/lib/api-types.ts is old: npm run types (docs/console.md)",
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
    execFileSync("npm", ["run", "--silent", "check"], { cwd: web, stdio: "pipe" });
  },
};
