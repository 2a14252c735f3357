// npm openai, in front of an upstream that nobody here wrote.
import { azureClient, chatScenes, embeddings, openaiSurface } from "../conformance/openai.mjs";
import { World } from "../lib/world.mjs";

(await World.start("aimock")).tests((world) => {
  chatScenes(world);
  openaiSurface(world);
  embeddings(world);
  azureClient(world);
});
