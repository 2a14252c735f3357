// npm ai and its providers, in front of an upstream that nobody here wrote.
import { aiScenes } from "../conformance/ai.mjs";
import { World } from "../lib/world.mjs";

(await World.start("aimock")).tests(aiScenes);
