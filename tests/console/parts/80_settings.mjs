// Settings: what runs, a reload, and a counter that should be at zero.
import assert from "node:assert/strict";

export const tests = {
  async "version, address, ledger and a reload"(world) {
    await world.open({});
    const page = await world.go("/settings");
    const status = await world.gateway.admin("/api/v1/status");
    await page.getByText(status.version).waitFor();
    await page.getByText(status.address, { exact: true }).waitFor();
    await page.getByText("written", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Read the file again" }).click();
    await page.getByText(/Generation \d+ runs/).waitFor();
    // local-llama has no price, so requests were unpriced: the page says so.
    await page.getByText("weir_unpriced_requests_total").waitFor();
    assert.deepEqual(world.complaints, []);
  },
};
