// Bytes as text and back: hex, base64 (RFC 4648), percent-encoding (RFC 3986). Decoders are strict:
// but for the case of hex digits and needless percent-encoding, they accept only what their encoder
// writes. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir {

// Lowercase digits; decoding takes both cases.
std::string hex_encode(std::string_view bytes);
std::optional<std::string> hex_decode(std::string_view text);

// Standard alphabet with padding. Decoding refuses missing padding, white space, and bits set in
// the unused part of the last character.
std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

// URL-safe alphabet without padding (JWT, RFC 7515); padding is refused.
std::string base64url_encode(std::string_view bytes);
std::optional<std::string> base64url_decode(std::string_view text);

// Everything as %XX but the unreserved characters (letters, digits, "-._~") and those in `keep`.
std::string percent_encode(std::string_view text, std::string_view keep = {});
// nullopt where a '%' is not followed by two hex digits. A '+' stays a '+'.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace weir
