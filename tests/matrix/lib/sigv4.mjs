// Checks the signature of a request to AWS, version 4, from its documentation.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";

const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const hmac = (key, data) => createHmac("sha256", key).update(data).digest();

// What RFC 3986 calls unreserved stays; the path is encoded once more than it is on the wire.
const encoded = (text) => encodeURIComponent(text)
  .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

export function checkSigned({ method, url, headers, body }, { id, secret, region, service }) {
  const form = new RegExp("^AWS4-HMAC-SHA256 Credential=([^/]+)/(\\d{8})/([^/]+)/([^/]+)/" +
    "aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$");
  const found = form.exec(headers.authorization);
  assert.ok(found, `authorization: ${headers.authorization}`);
  const [, credential, day, place, what, names, signature] = found;
  assert.deepEqual([credential, place, what], [id, region, service]);
  const signed = names.split(";");
  assert.ok(signed.includes("host") && signed.includes("x-amz-date"), names);
  const time = headers["x-amz-date"];
  assert.ok(time.startsWith(day), time);
  const at = time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z");
  assert.ok(Math.abs(Date.now() - Date.parse(at)) < 300_000, `x-amz-date: ${time}`);
  const [path, query = ""] = url.split("?");
  assert.equal(query, "");
  const canonical = [method, path.split("/").map(encoded).join("/"), query,
    ...signed.map((name) => `${name}:${headers[name].trim().replace(/ +/g, " ")}`), "", names,
    sha256(body)].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const key = [day, region, service, "aws4_request"].reduce(hmac, `AWS4${secret}`);
  const expected = hmac(key, ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n"));
  assert.equal(signature, expected.toString("hex"), "the signature");
}
