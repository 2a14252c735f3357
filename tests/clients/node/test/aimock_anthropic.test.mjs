// npm @anthropic-ai/sdk, in front of an upstream that nobody here wrote.
import { messageScenes } from "../conformance/anthropic.mjs";
import { World } from "../lib/world.mjs";

(await World.start("aimock")).tests(messageScenes);
