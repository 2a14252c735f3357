// npm packages for openai when something goes wrong, in front of `weir sim`.
import { faults } from "../conformance/faults.mjs";
import { World } from "../lib/world.mjs";

(await World.start("sim")).tests((world) => faults(world, "openai"));
