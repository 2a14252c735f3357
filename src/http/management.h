// What the APIs for operators share, those of `admin` and of `fleet`: who may ask, what a path and
// a query say, and how an error is told. Pure functions; any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "http/head.h"

namespace weir::http {

// Where no token is configured: whether the request names this machine and comes from no page of
// another origin, so that no site in a visitor's browser reaches the API under another name.
bool is_local_request(const RequestHead& head);

// "Authorization: Bearer ..." with this token; compared in constant time.
bool presents_token(const RequestHead& head, const Secret& token);

// Decoded names and values; of a name that comes twice the last. What cannot be decoded is left
// out.
std::map<std::string, std::string> parse_query(std::string_view query);

// Whether the path fits the pattern, segment by segment. "{...}" stands for one segment that is
// not empty; those go to `names`, decoded and in order.
bool fits(std::string_view pattern, std::string_view path, std::vector<std::string>& names);

// The HTTP status that tells an error of this code.
int status_of(ErrorCode code);

// {"error":{"code":...,"message":...}}
std::string error_body(std::string_view code, std::string_view message);

}  // namespace weir::http
