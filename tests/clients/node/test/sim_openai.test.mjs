// npm openai, in front of `weir sim`.
import { azureClient, chatScenes, embeddings, openaiSurface } from "../conformance/openai.mjs";
import { World } from "../lib/world.mjs";

(await World.start("sim")).tests((world) => {
  chatScenes(world);
  openaiSurface(world);
  embeddings(world);
  azureClient(world);
});
