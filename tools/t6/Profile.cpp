//===- Profile.cpp - Time of dispatches, against the machine --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Profile.h"

#include "tools/t6/Console.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

namespace t6::cli {

void Profile::Sum::add(const Sum &other) {
  calls += other.calls;
  seconds += other.seconds;
  bytes += other.bytes;
  flops += other.flops;
}

void Profile::add(const t6_dispatch_event &event) {
  sums[{event.entry, event.label}].add(
      {1, event.seconds,
       static_cast<double>(event.bytes_read) +
           static_cast<double>(event.bytes_written),
       static_cast<double>(event.flops)});
}

/// "block.3/mlp" to "block.*/mlp".
static std::string withoutNumbers(const std::string &label) {
  std::string result;
  for (size_t i = 0; i < label.size(); ++i) {
    bool digit = std::isdigit(static_cast<unsigned char>(label[i]));
    // Digits that belong to a name ("h0x", "fc1") stay.
    bool starts =
        i == 0 || !std::isalnum(static_cast<unsigned char>(label[i - 1]));
    size_t end = i;
    while (end < label.size() &&
           std::isdigit(static_cast<unsigned char>(label[end])))
      ++end;
    bool ends = end == label.size() ||
                !std::isalnum(static_cast<unsigned char>(label[end]));
    if (digit && starts && ends) {
      result += '*';
      i = end - 1;
    } else {
      result += label[i];
    }
  }
  return result;
}

std::string Profile::markdown() const {
  std::map<std::string, Sum> grouped;
  Sum total;
  for (const auto &[key, sum] : sums) {
    grouped[key.first + " " + withoutNumbers(key.second)].add(sum);
    total.add(sum);
  }
  std::vector<std::pair<std::string, Sum>> order(grouped.begin(),
                                                 grouped.end());
  std::sort(order.begin(), order.end(), [](auto &a, auto &b) {
    return a.second.seconds != b.second.seconds
               ? a.second.seconds > b.second.seconds
               : a.first < b.first;
  });
  order.emplace_back("all", total);
  std::string text = format("\nread bandwidth: %.1f GB/s\n\n", bandwidth / 1e9);
  text += "| dispatch | calls | seconds | share | GB/s | of bandwidth | "
          "GFLOP/s |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n";
  for (const auto &[label, sum] : order) {
    double seconds = std::max(sum.seconds, 1e-12);
    text +=
        format("| %s | %lld | %.6f | %.1f%% | %.2f | %.0f%% | %.2f |\n",
               label.c_str(), static_cast<long long>(sum.calls), sum.seconds,
               100 * sum.seconds / std::max(total.seconds, 1e-12),
               sum.bytes / seconds / 1e9, 100 * sum.bytes / seconds / bandwidth,
               sum.flops / seconds / 1e9);
  }
  return text;
}

std::string Profile::jsonLines(const std::string &test) const {
  std::string text;
  for (const auto &[key, sum] : sums) {
    nlohmann::ordered_json object;
    object["test"] = test;
    object["entry"] = key.first;
    object["dispatch"] = key.second;
    object["calls"] = sum.calls;
    object["seconds"] = sum.seconds;
    object["bytes"] = sum.bytes;
    object["flops"] = sum.flops;
    object["read_bandwidth"] = bandwidth;
    text += object.dump() + "\n";
  }
  return text;
}

} // namespace t6::cli
