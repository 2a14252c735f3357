// FileStore: the files, batches and stored responses of a simulated account, as far as clients need
// to see their calls work. A batch is done as soon as it is made: each line of its input file gets
// an answer in the output file. One thread. Limits: 256 files of 64 MiB together, 256 batches and
// 1,024 responses; the oldest go first.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace weir::sim {

struct StoreAnswer {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
};

class FileStore {
 public:
  // Answers a line of a batch: the URL and body it names -> the body of the answer.
  using AnswerLine = std::function<std::string(std::string_view url, std::string_view body)>;

  // `method` and what the route found behind /files or /batches. `body` is a multipart form for
  // uploads, JSON for batches.
  StoreAnswer files(std::string_view method, std::string_view id, std::string_view action,
                    std::string_view body, int64_t now_s);
  StoreAnswer batches(std::string_view method, std::string_view id, std::string_view action,
                      std::string_view body, int64_t now_s, const AnswerLine& answer_line);

  // The same in Anthropic's form; a batch brings its requests along.
  StoreAnswer anthropic_files(std::string_view method, const std::string& id,
                              std::string_view action, std::string_view body, int64_t now_s);
  StoreAnswer anthropic_batches(std::string_view method, const std::string& id,
                                std::string_view action, std::string_view body,
                                const AnswerLine& answer_line);

  void keep_response(const std::string& id, std::string body);
  // GET, DELETE of a response; 404 in OpenAI's form.
  StoreAnswer responses(std::string_view method, const std::string& id);
  bool has_response(const std::string& id) const { return responses_.contains(id); }

 private:
  struct File {
    std::string name, purpose, content;
    int64_t created_s = 0;
  };
  struct MessageBatch {
    std::string batch, results;
  };
  static std::string anthropic_file(const std::string& id, const File& file);
  void remove_file(const std::string& id);
  // `prefix` of the id: "file-" at OpenAI, "file_" at Anthropic, which do not see each other's.
  std::string add_file(std::string_view prefix, std::string name, std::string purpose,
                       std::string content, int64_t now_s);
  StoreAnswer make_batch(std::string_view body, int64_t now_s, const AnswerLine& answer_line);
  void write_file(std::string& out, const std::string& id, const File& file) const;

  uint64_t next_ = 1;
  std::map<std::string, File> files_;
  std::deque<std::string> file_order_;
  size_t file_bytes_ = 0;
  std::map<std::string, std::string> batches_;
  std::map<std::string, MessageBatch> message_batches_;
  std::map<std::string, std::string> responses_;
  std::deque<std::string> response_order_;
};

}  // namespace weir::sim
