#include "sim/file_store.h"

#include <fmt/format.h>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "sim/small_answers.h"

namespace weir::sim {
namespace {

constexpr size_t kFilesMax = 256;
constexpr size_t kFileBytesMax = size_t{64} << 20;
constexpr size_t kBatchesMax = 256;
constexpr size_t kResponsesMax = 1024;

StoreAnswer error(int status, std::string_view message) {
  StoreAnswer answer;
  answer.status = status;
  json::Writer w(answer.body);
  w.begin_object().key("error").begin_object().member("message", message);
  w.member("type", "invalid_request_error").key("param").null().key("code").null();
  w.end_object().end_object();
  return answer;
}

StoreAnswer not_found(std::string_view what, std::string_view id) {
  return error(404, fmt::format("No such {}: '{}'", what, id));
}

StoreAnswer deleted(std::string_view id, std::string_view object) {
  StoreAnswer answer;
  json::Writer w(answer.body);
  w.begin_object().member("id", id).member("object", object).member("deleted", true).end_object();
  return answer;
}

}  // namespace

void FileStore::write_file(std::string& out, const std::string& id, const File& file) const {
  json::Writer w(out);
  w.begin_object().member("id", id).member("object", "file").member("bytes", file.content.size());
  w.member("created_at", file.created_s).member("filename", file.name);
  w.member("purpose", file.purpose).member("status", "processed").end_object();
}

std::string FileStore::add_file(std::string_view prefix, std::string name, std::string purpose,
                                std::string content, int64_t now_s) {
  std::string id = fmt::format("{}sim{:08}", prefix, next_++);
  file_bytes_ += content.size();
  files_[id] = {std::move(name), std::move(purpose), std::move(content), now_s};
  file_order_.push_back(id);
  while (files_.size() > kFilesMax || (file_bytes_ > kFileBytesMax && files_.size() > 1)) {
    if (const auto oldest = files_.find(file_order_.front()); oldest != files_.end()) {
      file_bytes_ -= oldest->second.content.size();
      files_.erase(oldest);
    }
    file_order_.pop_front();
  }
  return id;
}

void FileStore::remove_file(const std::string& id) {
  file_bytes_ -= files_[id].content.size();
  std::erase(file_order_, id);
  files_.erase(std::string(id));
}

StoreAnswer FileStore::files(std::string_view method, std::string_view id, std::string_view action,
                             std::string_view body, int64_t now_s) {
  StoreAnswer answer;
  if (id.empty() && method == "POST") {
    if (body.find("name=\"file\"") == std::string_view::npos) return error(400, "file is required");
    const std::string made = add_file("file-", form_file_name(body), form_field(body, "purpose"),
                                      form_field(body, "file"), now_s);
    write_file(answer.body, made, files_[made]);
    return answer;
  }
  if (id.empty()) {
    std::string list;
    for (const auto& [name, file] : files_) {
      if (!name.starts_with("file-")) continue;
      if (!list.empty()) list.push_back(',');
      write_file(list, name, file);
    }
    answer.body = fmt::format(R"({{"object":"list","data":[{}],"has_more":false}})", list);
    return answer;
  }
  const auto found = files_.find(std::string(id));
  if (found == files_.end()) return not_found("File object", id);
  if (method == "DELETE") {
    remove_file(found->first);
    return deleted(id, "file");
  }
  if (action == "content") {
    answer.body = found->second.content;
    answer.content_type = "application/octet-stream";
    return answer;
  }
  write_file(answer.body, found->first, found->second);
  return answer;
}

StoreAnswer FileStore::make_batch(std::string_view body, int64_t now_s,
                                  const AnswerLine& answer_line) {
  json::Document document;
  if (!document.parse(body)) return error(400, "expected a JSON object");
  const std::string input = document.root()["input_file_id"].string_or("");
  const auto file = files_.find(input);
  if (file == files_.end()) return not_found("File object", input);
  const std::string id = fmt::format("batch_sim{:08}", next_++);
  std::string output;
  int64_t lines = 0;
  for (const std::string_view line : split(file->second.content, '\n')) {
    json::Document one;
    if (trim(line).empty() || !one.parse(line)) continue;
    ++lines;
    json::Writer w(output);
    w.begin_object().member("id", fmt::format("batch_req_{}_{}", id, lines));
    w.member("custom_id", one.root()["custom_id"].string_or("")).key("response").begin_object();
    w.member("status_code", 200).member("request_id", fmt::format("req_{}", lines)).key("body");
    w.raw(answer_line(one.root()["url"].string_or(""), one.root()["body"].raw()));
    w.end_object().key("error").null().end_object();
    output.push_back('\n');
  }
  const std::string output_id =
      add_file("file-", id + "_output.jsonl", "batch_output", output, now_s);
  StoreAnswer answer;
  json::Writer w(answer.body);
  w.begin_object().member("id", id).member("object", "batch");
  w.member("endpoint", document.root()["endpoint"].string_or(""));
  w.member("input_file_id", input).member("completion_window", "24h");
  w.member("status", "completed").member("output_file_id", output_id);
  w.member("created_at", now_s).member("completed_at", now_s).key("request_counts").begin_object();
  w.member("total", lines).member("completed", lines).member("failed", 0).end_object();
  w.end_object();
  if (batches_.size() >= kBatchesMax) batches_.erase(batches_.begin());
  batches_[id] = answer.body;
  return answer;
}

StoreAnswer FileStore::batches(std::string_view method, std::string_view id,
                               std::string_view action, std::string_view body, int64_t now_s,
                               const AnswerLine& answer_line) {
  if (id.empty() && method == "POST") return make_batch(body, now_s, answer_line);
  StoreAnswer answer;
  if (id.empty()) {
    std::string list;
    for (const auto& [name, batch] : batches_) {
      if (!list.empty()) list.push_back(',');
      list += batch;
    }
    answer.body = fmt::format(R"({{"object":"list","data":[{}],"has_more":false}})", list);
    return answer;
  }
  const auto found = batches_.find(std::string(id));
  if (found == batches_.end()) return not_found("batch", id);
  if (action == "cancel") return error(409, "a completed batch cannot be cancelled");
  answer.body = found->second;
  return answer;
}

void FileStore::keep_response(const std::string& id, std::string body) {
  responses_[id] = std::move(body);
  response_order_.push_back(id);
  if (response_order_.size() > kResponsesMax) {
    responses_.erase(response_order_.front());
    response_order_.pop_front();
  }
}

StoreAnswer FileStore::responses(std::string_view method, const std::string& id) {
  const auto found = responses_.find(id);
  if (found == responses_.end()) {
    return error(404, fmt::format("Response with id '{}' not found.", id));
  }
  if (method == "DELETE") {
    responses_.erase(found);
    return deleted(id, "response");
  }
  return {200, found->second};
}

}  // namespace weir::sim
