#include "fleet/xds/messages.h"

#include "base/utf8.h"
#include "fleet/xds/protobuf.h"

namespace weir::fleet::xds {

namespace {

constexpr std::array<std::string_view, kKinds> kTypeUrls = {
    "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "type.googleapis.com/envoy.config.listener.v3.Listener",
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
};

Error not_a_message() {
  return {ErrorCode::invalid_argument, "the request is not a well-formed message"};
}

// Text of proto3: UTF-8, and of a length that is worth keeping.
Result<void> take_text(const Field& field, std::string& out) {
  if (field.bytes.size() > kNameBytesMax) {
    return fail(ErrorCode::limit_exceeded, "a text of the request is longer than 4096 bytes");
  }
  if (!is_utf8(field.bytes)) return fail(not_a_message());
  out = field.bytes;
  return {};
}

Result<void> take_name(const Field& field, std::vector<std::string>& out) {
  if (out.size() >= kNamesMax) {
    return fail(ErrorCode::limit_exceeded, "the request names more than 16384 resources");
  }
  return take_text(field, out.emplace_back());
}

// The text of one field of a nested message.
Result<void> take_inner(const Field& field, uint32_t number, std::string& out) {
  Reader reader(field.bytes);
  while (const auto inner = reader.next()) {
    if (inner->is_bytes(number)) WEIR_CHECK_OK(take_text(*inner, out));
  }
  if (reader.failed()) return fail(not_a_message());
  return {};
}

Result<void> take_node(const Field& field, std::optional<Node>& out) {
  out.emplace();
  Reader reader(field.bytes);
  while (const auto inner = reader.next()) {
    if (inner->is_bytes(1)) WEIR_CHECK_OK(take_text(*inner, out->id));
    if (inner->is_bytes(2)) WEIR_CHECK_OK(take_text(*inner, out->cluster));
    if (inner->is_bytes(4)) WEIR_CHECK_OK(take_inner(*inner, 2, out->zone));
    if (inner->is_bytes(6)) WEIR_CHECK_OK(take_text(*inner, out->user_agent));
  }
  if (reader.failed()) return fail(not_a_message());
  return {};
}

// google.rpc.Status. Its message may be long: what is beyond the limit is cut.
Result<void> take_error(const Field& field, std::optional<std::string>& out) {
  out.emplace();
  Reader reader(field.bytes);
  while (const auto inner = reader.next()) {
    if (inner->is_bytes(2)) {
      std::string_view text = inner->bytes.substr(0, kNameBytesMax);
      out = text.substr(0, utf8_valid_prefix(text));
    }
  }
  if (reader.failed()) return fail(not_a_message());
  return {};
}

Result<void> take_known(const Field& field, std::vector<std::pair<std::string, std::string>>& out) {
  if (out.size() >= kNamesMax) {
    return fail(ErrorCode::limit_exceeded, "the request names more than 16384 resources");
  }
  auto& [name, version] = out.emplace_back();
  WEIR_CHECK_OK(take_inner(field, 1, name));
  return take_inner(field, 2, version);
}

void write_any(Writer& writer, uint32_t field, Kind kind, std::string_view value) {
  writer.message(field, [&] {
    writer.text(1, type_url(kind));
    writer.text(2, value);
  });
}

void write_control_plane(Writer& writer, uint32_t field, std::string_view identifier) {
  writer.message(field, [&] { writer.text(1, identifier); });
}

}  // namespace

std::string_view type_url(Kind kind) {
  return kTypeUrls[static_cast<size_t>(kind)];
}

std::optional<Kind> kind_of(std::string_view type_url) {
  for (const Kind kind : kAllKinds) {
    if (kTypeUrls[static_cast<size_t>(kind)] == type_url) return kind;
  }
  return std::nullopt;
}

Result<Request> read_request(std::string_view bytes) {
  Request request;
  Reader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->is_bytes(2)) WEIR_CHECK_OK(take_node(*field, request.node));
    if (field->is_bytes(3)) WEIR_CHECK_OK(take_name(*field, request.names));
    if (field->is_bytes(4)) WEIR_CHECK_OK(take_text(*field, request.type_url));
    if (field->is_bytes(5)) WEIR_CHECK_OK(take_text(*field, request.nonce));
    if (field->is_bytes(6)) WEIR_CHECK_OK(take_error(*field, request.error));
  }
  if (reader.failed()) return fail(not_a_message());
  return request;
}

Result<Request> read_delta_request(std::string_view bytes) {
  Request request;
  Reader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->is_bytes(1)) WEIR_CHECK_OK(take_node(*field, request.node));
    if (field->is_bytes(2)) WEIR_CHECK_OK(take_text(*field, request.type_url));
    if (field->is_bytes(3)) WEIR_CHECK_OK(take_name(*field, request.subscribe));
    if (field->is_bytes(4)) WEIR_CHECK_OK(take_name(*field, request.unsubscribe));
    if (field->is_bytes(5)) WEIR_CHECK_OK(take_known(*field, request.known));
    if (field->is_bytes(6)) WEIR_CHECK_OK(take_text(*field, request.nonce));
    if (field->is_bytes(7)) WEIR_CHECK_OK(take_error(*field, request.error));
  }
  if (reader.failed()) return fail(not_a_message());
  return request;
}

void write_response(std::string& out, Kind kind, std::string_view version, std::string_view nonce,
                    std::string_view control_plane, const std::vector<Resource>& resources) {
  Writer writer(out);
  writer.text(1, version);
  for (const Resource& resource : resources) write_any(writer, 2, kind, resource.value);
  writer.text(4, type_url(kind));
  writer.text(5, nonce);
  write_control_plane(writer, 6, control_plane);
}

void write_delta_response(std::string& out, Kind kind, std::string_view nonce,
                          std::string_view control_plane, const std::vector<Resource>& resources,
                          const std::vector<std::string>& removed) {
  Writer writer(out);
  for (const Resource& resource : resources) {
    writer.message(2, [&] {
      writer.text(1, resource.version);
      write_any(writer, 2, kind, resource.value);
      writer.text(3, resource.name);
    });
  }
  writer.text(4, type_url(kind));
  writer.text(5, nonce);
  for (const std::string& name : removed) writer.bytes(6, name);
  write_control_plane(writer, 7, control_plane);
}

}  // namespace weir::fleet::xds
