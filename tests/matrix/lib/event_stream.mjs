// The framing of Amazon's event streams (application/vnd.amazon.eventstream), written from its
// specification: lengths, headers, payload, and a CRC-32 over the prelude and over all.
// https://smithy.io/2.0/aws/amazon-eventstream.html

const table = Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; ++bit) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = table[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

const uint32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

function header(name, value) {
  const text = Buffer.from(value);
  const size = Buffer.alloc(2);
  size.writeUInt16BE(text.length);
  const string = 7;
  return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([string]), size,
    text]);
}

// One message: `kind` "event" or "exception", `type` its name.
export function eventFrame(kind, type, payload) {
  const headers = Buffer.concat([
    header(`:${kind}-type`, type),
    header(":content-type", "application/json"),
    header(":message-type", kind),
  ]);
  const body = Buffer.from(JSON.stringify(payload));
  const around = 16;  // two lengths and two checksums
  const prelude = Buffer.concat([uint32(around + headers.length + body.length),
    uint32(headers.length)]);
  const head = Buffer.concat([prelude, uint32(crc32(prelude)), headers, body]);
  return Buffer.concat([head, uint32(crc32(head))]);
}
