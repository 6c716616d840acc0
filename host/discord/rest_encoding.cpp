#include "discord/rest_encoding.hpp"

#include <openssl/rand.h>

#include "discord/user_agent.hpp"

namespace trellis::host {

namespace {

constexpr std::size_t kMostBytes = 25u << 20, kMostFiles = 10, kLongestTarget = 4096, kLongestReason = 512;

std::string percent(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// The first `most` characters of UTF-8.
std::string_view characters(std::string_view text, std::size_t most) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && count++ == most) return text.substr(0, i);
  }
  return text;
}

/// As browsers write names in Content-Disposition: what would end the value is percent-encoded.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || static_cast<unsigned char>(c) < ' ')
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + "\"";
}

std::string new_boundary() {
  unsigned char bytes[16];
  RAND_bytes(bytes, sizeof bytes);
  std::string out = "trellis-";
  for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

void append_part(std::string& out, const std::string& boundary, const RestPart& part) {
  out += fmt::format("--{}\r\nContent-Disposition: form-data; name={}", boundary, in_quotes(part.name));
  if (!part.filename.empty()) out += "; filename=" + in_quotes(part.filename);
  if (!part.content_type.empty()) out += "\r\nContent-Type: " + part.content_type;
  out.append("\r\n\r\n").append(part.data).append("\r\n");
}

bool is_header_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

std::string check_request(const RestRequest& request) {
  const auto& method = request.method;
  if (method != "GET" && method != "POST" && method != "PUT" && method != "PATCH" && method != "DELETE")
    return fmt::format("\"{}\" is not a method of Discord's API; it has GET, POST, PUT, PATCH and DELETE.", method);
  const std::string_view target = request.target;
  const std::string_view path = target.substr(0, target.find('?'));
  const std::string slashed = std::string(path) + "/";
  const bool characters_fine = std::all_of(target.begin(), target.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '#' && c != '\\' && c != '"' && c != '<' && c != '>';
  });
  if (!target.starts_with('/') || !characters_fine || target.size() > kLongestTarget ||
      path.find("//") != std::string_view::npos || slashed.find("/../") != std::string::npos ||
      slashed.find("/./") != std::string::npos)
    return "The path of a request to Discord begins with / (\"/channels/1/messages\"), and other characters than "
           "letters, "
           "digits and -_.~:@ are percent-encoded.";
  std::size_t size = request.body.size(), files = 0;
  for (const auto& part : request.parts) {
    size += part.data.size();
    files += !part.filename.empty();
    if (!is_header_text(part.content_type))
      return fmt::format("The content type of the part \"{}\" contains characters that none has.", part.name);
  }
  if (method == "GET" && size) return "A GET request has no body.";
  if (files > kMostFiles) return fmt::format("{} files in one request; Discord takes {}.", files, kMostFiles);
  if (size > kMostBytes) return fmt::format("The request has {} bytes; Discord takes {} MiB.", size, kMostBytes >> 20);
  return "";
}

RestMessage encode(const RestRequest& request, const RestRoute& route, const RestAddress& address,
                   const std::string& token) {
  RestMessage message;
  message.head = fmt::format("{} {}{} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nAccept: application/json\r\n",
                             request.method, address.base, request.target, address.host_header, user_agent());
  if (route.authorized) message.head += fmt::format("Authorization: Bot {}\r\n", token);
  if (!request.reason.empty())
    message.head += fmt::format("X-Audit-Log-Reason: {}\r\n", percent(characters(request.reason, kLongestReason)));
  if (!request.parts.empty()) {
    const std::string boundary = new_boundary();
    if (!request.body.empty())
      append_part(message.body, boundary, {"payload_json", "", "application/json", request.body});
    for (const auto& part : request.parts) append_part(message.body, boundary, part);
    message.body += fmt::format("--{}--\r\n", boundary);
    message.head += fmt::format("Content-Type: multipart/form-data; boundary={}\r\n", boundary);
  } else if (!request.body.empty()) {
    message.body = request.body;
    message.head += "Content-Type: application/json\r\n";
  }
  if (request.method != "GET") message.head += fmt::format("Content-Length: {}\r\n", message.body.size());
  message.head += "\r\n";
  return message;
}

}  // namespace trellis::host
