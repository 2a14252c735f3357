// Packs what Vite built into the one file that CMake puts into the binary; src/admin/console.cc
// reads it. A first line, a line per file with tabs between its fields, an empty line, the bytes.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const from = process.env.WEIR_CONSOLE_OUT ?? "dist";
const to = process.env.WEIR_CONSOLE_PACK ?? path.join(from, "..", "console.pack");
const types = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};
// First load: what the document itself asks for. A page's own files come when it is opened.
const firstLoadMax = 120_000;

const files = readdirSync(from, { recursive: true })
  .filter((name) => statSync(path.join(from, name)).isFile())
  .sort();
const parts = [];
let at = 0;
const place = (bytes) => {
  parts.push(bytes);
  at += bytes.length;
  return `${at - bytes.length}\t${bytes.length}`;
};
const sizes = new Map();
const lines = files.map((name) => {
  const type = types[path.extname(name)];
  if (type === undefined) throw new Error(`pack.mjs knows no content type for ${name}`);
  const plain = readFileSync(path.join(from, name));
  const smaller = (bytes) => (bytes.length < plain.length ? bytes : Buffer.alloc(0));
  const gzip = smaller(gzipSync(plain, { level: 9 }));
  const brotli = smaller(
    brotliCompressSync(plain, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 11,
        [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
      },
    }),
  );
  const url = `/${name.split(path.sep).join("/")}`;
  sizes.set(url, brotli.length || plain.length);
  const etag = `"${createHash("sha256").update(plain).digest("hex").slice(0, 20)}"`;
  const immutable = url.startsWith("/assets/") ? 1 : 0;
  return [url, type, etag, immutable, place(plain), place(gzip), place(brotli)].join("\t");
});

const html = readFileSync(path.join(from, "index.html"), "utf8");
const asked = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]);
const first = ["/index.html", ...asked].reduce((sum, url) => sum + (sizes.get(url) ?? 0), 0);
if (first > firstLoadMax) {
  throw new Error(`the first load is ${first} bytes compressed; ${firstLoadMax} are the most`);
}

mkdirSync(path.dirname(to), { recursive: true });
writeFileSync(
  `${to}.new`,
  Buffer.concat([Buffer.from(`weir-console 1\n${lines.join("\n")}\n\n`), ...parts]),
);
renameSync(`${to}.new`, to);
console.log(`console: ${files.length} files, ${first} bytes compressed at first load`);
