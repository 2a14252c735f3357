// Everything else that the SDKs ask for, in front of `weir sim`.
import {
  anthropicFiles, headers, modelLists, openaiFiles, openaiMedia,
} from "../conformance/surface.mjs";
import { World } from "../lib/world.mjs";

(await World.start("sim")).tests((world) => {
  modelLists(world);
  openaiFiles(world);
  anthropicFiles(world);
  openaiMedia(world);
  headers(world);
});
