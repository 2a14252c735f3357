// npm ai and its providers, in front of `weir sim`.
import { aiEmbeddings, aiScenes } from "../conformance/ai.mjs";
import { World } from "../lib/world.mjs";

(await World.start("sim")).tests((world) => {
  aiScenes(world);
  aiEmbeddings(world);
});
