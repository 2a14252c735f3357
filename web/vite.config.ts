import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// The admin API that `npm run dev` talks to.
const api = process.env.WEIR_ADMIN ?? "http://127.0.0.1:8081";

export default defineConfig({
  plugins: [svelte()],
  // Packages may lie behind a link (tests/lib/npm.sh); what they import is beside them.
  build: {
    outDir: process.env.WEIR_CONSOLE_OUT ?? "dist",
    emptyOutDir: true,
    target: "es2022",
    // Every file is a file: the content security policy has no place for data: scripts or styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": { target: api, changeOrigin: true } } },
});
