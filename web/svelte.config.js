import { vitePreprocess } from "@sveltejs/vite-plugin-svelte";

export default {
  preprocess: vitePreprocess(),
  compilerOptions: { runes: true },
  // bits-ui's sources are not written with our options in mind.
  vitePlugin: { dynamicCompileOptions: ({ filename }) =>
    filename.includes("node_modules") ? { runes: undefined } : undefined },
};
