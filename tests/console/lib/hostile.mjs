// Texts that must stay text wherever a page shows them. Whatever runs sets window.hostile.
export const hostile = {
  markup: `<img src=x onerror="window.hostile=1"><script>window.hostile=1</script>`,
  attribute: `" onmouseover="window.hostile=1" x="`,
  template: "{@html '<b>'} ${window.hostile=1} {{constructor.constructor('window.hostile=1')()}}",
  address: "javascript:window.hostile=1",
  terminal: "\u001b[31mred\u001b[0m\u0007\u0000bell",
  direction: "abc\u202egpj.exe\u202c",
  line: "x".repeat(20_000),
  lines: "a\r\nb\nc".repeat(200),
  entity: "&lt;script&gt; &amp; &#x3c;",
};

// Whether the page as it is now ran any of it, made elements of it, or has raw control characters.
export async function isTame(page) {
  return page.evaluate(() => ({
    ran: window.hostile !== undefined,
    made: document.querySelectorAll("body script, body img[src='x'], [onmouseover]").length,
    links: [...document.querySelectorAll("a")].filter((a) => a.protocol === "javascript:")
      .length,
    // eslint-disable-next-line no-control-regex
    raw: /[\u0000-\u0008\u000b-\u001f\u202a-\u202e]/.test(document.body.innerText),
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  }));
}
export const tame = { ran: false, made: 0, links: 0, raw: false, wide: false };
