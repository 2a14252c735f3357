// What several agents are shown.

// A red square of 2 x 2 pixels.
export const picture = {
  type: "image/png",
  base64: "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4" +
    "z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg==",
};
