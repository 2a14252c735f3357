// Eight backends in one process: each speaks gRPC at one port and HTTP at another, says who it is,
// and is slow, fails or restarts when it is told to.
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import grpc from "@grpc/grpc-js";
import { Echo } from "./echo.mjs";

export class Backend {
  constructor(name) {
    Object.assign(this, { name, mode: "ok", ports: [0, 0], start: 1, served: 0 });
  }

  async listen() {
    this.grpc = new grpc.Server();
    this.grpc.addService(Echo.service, { Say: (call, done) => this.say(done) });
    const port = await new Promise((resolve, reject) => this.grpc.bindAsync(
      `127.0.0.1:${this.ports[0]}`, grpc.ServerCredentials.createInsecure(),
      (error, bound) => (error ? reject(error) : resolve(bound))));
    this.http = createServer((request, response) => this.answer(response));
    await new Promise((resolve) => this.http.listen(this.ports[1], "127.0.0.1", resolve));
    this.ports = [port, this.http.address().port];
  }

  // Tells the fleet each second how busy it is, as one with much room: without that the fleet would
  // not take more than a fifth of a service away at once.
  report(fleet, service) {
    this.timer = setInterval(() => {
      const second = Math.floor(Date.now() / 1000) - 1;
      if (second === this.told || !this.http.listening) return;
      this.told = second;
      fleet.call("POST", "/v1/fleet/samples", { reporter: this.name, samples: [{ service, second,
        endpoint: this.name, view: "server", start: String(this.start), requests: this.served,
        utilization: 30 }] }).catch(() => {});
      this.served = 0;
    }, 250);
  }

  async work() {
    ++this.served;
    await sleep((this.mode === "slow" ? 50 : 5) * (0.8 + 0.4 * Math.random()));
  }

  async say(done) {
    await this.work();
    if (this.mode !== "error") return done(null, { text: this.name });
    const metadata = new grpc.Metadata();
    metadata.set("backend", this.name);
    return done({ code: grpc.status.UNAVAILABLE, details: "sick", metadata });
  }

  async answer(response) {
    await this.work();
    response.writeHead(this.mode === "error" ? 500 : 200, { "x-backend": this.name });
    response.end(this.name);
  }

  stop() {
    clearInterval(this.timer);
    return this.close();
  }

  close() {
    this.grpc.forceShutdown();
    this.http.closeAllConnections();
    return new Promise((resolve) => this.http.close(resolve));
  }

  // Away for a moment, then a new process as far as anybody can see.
  async restart() {
    await this.close();
    ++this.start;
    await sleep(1500);
    await this.listen();
  }
}
