//===- InfoCommand.cpp - t6 info ------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/Command.h"
#include "tools/t6/Console.h"
#include "tools/t6/ModelArguments.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace t6::cli {
namespace {

// Built by t6_model_info(), so its keys and types are certain.
using Json = nlohmann::ordered_json;

class InfoCommand : public Command {
public:
  const char *name() const override { return "info"; }
  const char *summary() const override { return "Show what an artifact holds"; }
  void declare(Options &options) override {
    options.positional("artifact", model.artifact, "Compiled model (.t6x)");
    options.flag("--dispatches", dispatches,
                 "Every dispatch with its bytes, FLOPs and their ratio");
    options.add("--length", length,
                "Sizes at which costs are stated; 0: the largest");
    options.flag("--json", json, "Print a JSON object");
  }
  int run() override;

private:
  void printModel(const Json &info) const;
  void printEntry(const Json &entry) const;

  ModelArguments model;
  bool dispatches = false, json = false;
  int64_t length = 0;
};

std::string text(const Json &value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string shape(const Json &port) {
  std::string result;
  for (const Json &extent : port["shape"])
    result += (result.empty() ? "" : ", ") + text(extent);
  return text(port["name"]) + " " + text(port["dtype"]) + " [" + result + "]";
}

std::string portsText(const Json &ports) {
  std::string result;
  for (const Json &port : ports)
    result += (result.empty() ? "" : ", ") + shape(port);
  return result;
}

std::vector<std::string> costCells(const Json &cost) {
  return {bytesText(cost["bytes_read"].get<int64_t>()),
          bytesText(cost["bytes_written"].get<int64_t>()),
          countText(cost["flops"].get<int64_t>()),
          format("%.2f", cost["intensity"].get<double>())};
}

bool hasIntegers(const Json &parameters) {
  return std::any_of(
      parameters.begin(), parameters.end(),
      [](const Json &parameter) { return parameter["dtype"] == "i8"; });
}

std::string pagesText(const Json &cache) {
  if (cache["pages"].get<int64_t>() == 0)
    return "";
  return ": " + text(cache["pages"]) + " pages of " +
         text(cache["page_tokens"]) + " tokens, " + text(cache["tokens"]) +
         " for all rows";
}

void InfoCommand::printModel(const Json &info) const {
  const Json &about = info["model"];
  const Json &options = info["options"];
  auto number = [](const Json &value) { return value.get<int64_t>(); };
  std::vector<std::vector<std::string>> rows = {
      {"model",
       text(about["name"]) + ", attention " + text(about["attention"])},
      {"parameters", countText(number(about["parameters"])) + " in " +
                         text(about["layers"]) + " layers of width " +
                         text(about["width"]) + ", vocabulary " +
                         text(about["vocab_size"])},
      {"compiled",
       text(options["target"]) + " (" + text(info["cpu"]["name"]) + ", " +
           text(info["cpu"]["vector_bits"]) + "-bit vectors), " +
           text(options["dtype"]) +
           (options["compute"] != options["dtype"]
                ? ", training multiplies " + text(options["compute"])
                : "") +
           (hasIntegers(info["parameters"]) ? ", int8 weights" : "") + ", by " +
           text(info["producer"])},
      {"limits", "batch " + text(options["batch"]) + ", maximum length " +
                     text(options["max_length"]) + ", prefill chunk " +
                     text(options["prefill_chunk"])},
      {"cache", bytesText(number(about["cache_bytes_per_token"])) +
                    " a token and row, " +
                    (number(about["state_bytes"]) > 0
                         ? bytesText(number(about["state_bytes"])) + " a row, "
                         : "") +
                    bytesText(number(info["cache"]["bytes"])) + " in all" +
                    pagesText(info["cache"])},
      {"reference", info["has_reference"].get<bool>()
                        ? "yes: t6 check can be run"
                        : "none"}};
  if (int64_t bytes = number(info["training_bytes"]))
    rows.push_back({"training", bytesText(bytes) +
                                    " for a step: weights, "
                                    "gradients, moments and arenas"});
  writeOut(table(rows, true));
  std::vector<std::vector<std::string>> buffers = {{"buffers", "", ""}};
  for (const auto &[kind, what] : info["buffers"].items())
    buffers.push_back(
        {"  " + kind, text(what["count"]), bytesText(number(what["bytes"]))});
  std::vector<std::vector<std::string>> files = {{"files", ""}};
  for (const Json &file : info["files"])
    files.push_back(
        {"  " + text(file["name"]), bytesText(number(file["bytes"]))});
  writeOut("\n" + table(buffers) + "\n" + table(files));
}

void InfoCommand::printEntry(const Json &entry) const {
  std::string sizes;
  for (const auto &[name, size] : entry["scalars"].items())
    sizes += (sizes.empty() ? "" : ", ") + name + " = " + text(size["value"]) +
             " (at most " + text(size["max"]) + ")";
  std::vector<std::string> cost = costCells(entry);
  writeOut("\nentry " + text(entry["name"]) + "\n");
  std::vector<std::vector<std::string>> rows = {
      {"  inputs", portsText(entry["inputs"])},
      {"  outputs", portsText(entry["outputs"])},
      {"  sizes", sizes.empty() ? "fixed" : sizes},
      {"  memory", bytesText(entry["memory_bytes"].get<int64_t>()) +
                       " with weights and state, at the largest sizes"},
      {"  cost", text(entry["dispatch_count"]) + " dispatches, " + cost[0] +
                     " read, " + cost[1] + " written, " + cost[2] + " FLOP, " +
                     cost[3] + " FLOP/byte"}};
  writeOut(table(rows, true));
  if (!dispatches)
    return;
  std::vector<std::vector<std::string>> list = {{"  label", "workgroups",
                                                 "read", "written", "FLOP",
                                                 "FLOP/byte", "kernel"}};
  for (const Json &dispatch : entry["dispatches"]) {
    std::vector<std::string> row = {"  " + text(dispatch["label"]),
                                    text(dispatch["workgroups"])};
    for (std::string &cell : costCells(dispatch))
      row.push_back(std::move(cell));
    row.push_back(text(dispatch["kernel"]));
    list.push_back(std::move(row));
  }
  writeOut(table(list));
}

int InfoCommand::run() {
  Model opened;
  if (t6_status *status = model.open(opened))
    return fail(status);
  t6_info_options options;
  t6_info_options_init(&options);
  options.dispatches = dispatches;
  options.length = length;
  char *printed = nullptr;
  if (t6_status *status = t6_model_info(opened.get(), &options, &printed))
    return fail(status);
  std::string document = printed;
  t6_free(printed);
  if (json) {
    writeOut(document + "\n");
    return kFine;
  }
  const Json info = Json::parse(document, nullptr, false);
  printModel(info);
  for (const Json &entry : info["entries"])
    printEntry(entry);
  return kFine;
}

} // namespace

std::unique_ptr<Command> makeInfoCommand() {
  return std::make_unique<InfoCommand>();
}

} // namespace t6::cli
