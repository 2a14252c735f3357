// The files and batches of an account at Anthropic.
#include <fmt/format.h>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "sim/file_store.h"
#include "sim/small_answers.h"

namespace weir::sim {
namespace {

constexpr size_t kBatchesMax = 256;
constexpr std::string_view kDate = "2026-01-01T00:00:00Z";

StoreAnswer error(int status, std::string_view type, std::string_view message) {
  StoreAnswer answer;
  answer.status = status;
  json::Writer w(answer.body);
  w.begin_object().member("type", "error").key("error").begin_object().member("type", type);
  w.member("message", message).end_object().end_object();
  return answer;
}

StoreAnswer not_found(std::string_view id) {
  return error(404, "not_found_error", fmt::format("{} was not found", id));
}

StoreAnswer list_of(const std::string& entries) {
  return {200, fmt::format(R"({{"data":[{}],"has_more":false,"first_id":null,"last_id":null}})",
                           entries)};
}

StoreAnswer deleted(std::string_view id, std::string_view type) {
  return {200, fmt::format(R"({{"id":"{}","type":"{}"}})", id, type)};
}

}  // namespace

std::string FileStore::anthropic_file(const std::string& id, const File& file) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("type", "file").member("id", id).member("filename", file.name);
  w.member("mime_type", "text/plain").member("size_bytes", file.content.size());
  w.member("created_at", kDate).member("downloadable", true).end_object();
  return out;
}

StoreAnswer FileStore::anthropic_files(std::string_view method, const std::string& id,
                                       std::string_view action, std::string_view body,
                                       int64_t now_s) {
  if (id.empty() && method == "POST") {
    const std::string made =
        add_file("file_", form_file_name(body), "", form_field(body, "file"), now_s);
    return {200, anthropic_file(made, files_[made])};
  }
  if (id.empty()) {
    std::string entries;
    for (const auto& [name, file] : files_) {
      if (!name.starts_with("file_")) continue;
      if (!entries.empty()) entries.push_back(',');
      entries += anthropic_file(name, file);
    }
    return list_of(entries);
  }
  const auto found = files_.find(id);
  if (found == files_.end()) return not_found(id);
  if (method == "DELETE") {
    remove_file(id);
    return deleted(id, "file_deleted");
  }
  if (action == "content") return {200, found->second.content, "application/octet-stream"};
  return {200, anthropic_file(id, found->second)};
}

StoreAnswer FileStore::anthropic_batches(std::string_view method, const std::string& id,
                                         std::string_view action, std::string_view body,
                                         const AnswerLine& answer_line) {
  if (id.empty() && method == "POST") {
    json::Document document;
    if (!document.parse(body) || document.root()["requests"].size() == 0) {
      return error(400, "invalid_request_error", "requests: Field required");
    }
    const std::string made = fmt::format("msgbatch_sim{:08}", next_++);
    std::string results;
    int64_t count = 0;
    for (const json::Value request : document.root()["requests"].elements()) {
      ++count;
      json::Writer w(results);
      w.begin_object().member("custom_id", request["custom_id"].string_or(""));
      w.key("result").begin_object().member("type", "succeeded").key("message");
      w.raw(answer_line("/v1/messages", request["params"].raw())).end_object().end_object();
      results.push_back('\n');
    }
    std::string batch;
    json::Writer w(batch);
    w.begin_object().member("id", made).member("type", "message_batch");
    w.member("processing_status", "ended").key("request_counts").begin_object();
    w.member("processing", 0).member("succeeded", count).member("errored", 0);
    w.member("canceled", 0).member("expired", 0).end_object();
    w.member("created_at", kDate).member("ended_at", kDate).member("expires_at", kDate);
    w.key("archived_at").null().key("cancel_initiated_at").null();
    w.member("results_url",
             fmt::format("https://api.anthropic.com/v1/messages/batches/{}/results", made));
    w.end_object();
    if (message_batches_.size() >= kBatchesMax) message_batches_.erase(message_batches_.begin());
    message_batches_[made] = {batch, std::move(results)};
    return {200, batch};
  }
  if (id.empty()) {
    std::string entries;
    for (const auto& [name, batch] : message_batches_) {
      if (!entries.empty()) entries.push_back(',');
      entries += batch.batch;
    }
    return list_of(entries);
  }
  const auto found = message_batches_.find(id);
  if (found == message_batches_.end()) return not_found(id);
  if (method == "DELETE") {
    message_batches_.erase(found);
    return deleted(id, "message_batch_deleted");
  }
  if (action == "results") return {200, found->second.results, "application/x-jsonl"};
  return {200, found->second.batch};
}

}  // namespace weir::sim
