// npm @google/genai, in front of an upstream that nobody here wrote.
import { generateScenes } from "../conformance/google.mjs";
import { World } from "../lib/world.mjs";

(await World.start("aimock")).tests(generateScenes);
