// The service that the test's backends and clients speak.
import path from "node:path";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const proto = path.join(path.dirname(fileURLToPath(import.meta.url)), "../cc/echo.proto");
export const { Echo } = grpc.loadPackageDefinition(loader.loadSync(proto)).weir.test;
