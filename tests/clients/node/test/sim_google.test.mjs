// npm @google/genai, in front of `weir sim`.
import { generateScenes, googleEmbeddings } from "../conformance/google.mjs";
import { World } from "../lib/world.mjs";

(await World.start("sim")).tests((world) => {
  generateScenes(world);
  googleEmbeddings(world);
});
