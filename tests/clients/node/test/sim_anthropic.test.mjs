// npm @anthropic-ai/sdk, in front of `weir sim`.
import { messageScenes, tokenCounts } from "../conformance/anthropic.mjs";
import { World } from "../lib/world.mjs";

(await World.start("sim")).tests((world) => {
  messageScenes(world);
  tokenCounts(world);
});
