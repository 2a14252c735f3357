// A gRPC client that calls Echo at a steady pace and prints, for each call, who answered ("-" where
// nobody can be named), whether it went well, and the milliseconds it took. Ends when it is killed.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "echo.grpc.pb.h"

namespace {

using Clock = std::chrono::steady_clock;

std::mutex out;

void call(weir::test::Echo::Stub& stub) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(2));
  weir::test::Note question;
  weir::test::Note answer;
  const auto begun = Clock::now();
  const grpc::Status status = stub.Say(&context, question, &answer);
  const std::chrono::duration<double, std::milli> took = Clock::now() - begun;
  std::string who = status.ok() ? answer.text() : "-";
  if (!status.ok()) {
    const auto& trailers = context.GetServerTrailingMetadata();
    if (const auto found = trailers.find("backend"); found != trailers.end()) {
      who.assign(found->second.data(), found->second.size());
    }
  }
  const std::lock_guard lock(out);
  std::printf("%s %d %.3f\n", who.c_str(), status.ok() ? 1 : 0, took.count());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  constexpr int kThreads = 8;
  const auto channel = grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials());
  const auto stub = weir::test::Echo::NewStub(channel);
  const auto pace = std::chrono::milliseconds(std::atoi(argv[2]));
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (auto next = Clock::now() + i * pace;; next += kThreads * pace) {
        // Sleeps: calls come at a pace, as a user's do.
        std::this_thread::sleep_until(next);
        if (next + std::chrono::seconds(1) < Clock::now()) next = Clock::now();
        call(*stub);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}
