//===- TrainingSession.cpp - Training steps that a test talks to ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keeps the engine open on an artifact for a test in another language, which
// sends lines on stdin:
//
//   run ENTRY COUNT     then, COUNT times, "NAME DTYPE BYTES RANK SIZE..." and
//                       the bytes; is answered by "COUNT", then for each output
//                       "NAME BYTES RANK SIZE..." and the bytes
//   state NAME          is answered by "BYTES" and the bytes of a state
//   reset               zeroes all state
//
// usage: training_session ARTIFACT WEIGHTS
//
//===----------------------------------------------------------------------===//

#include "runtime/engine/Executor.h"

#include "absl/status/status.h"

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

using namespace t6;

static void check(const absl::Status &status) {
  if (status.ok())
    return;
  std::cerr << "training_session: " << status << "\n";
  std::exit(1);
}

template <typename T> static T require(absl::StatusOr<T> value) {
  check(value.status());
  return *std::move(value);
}

static TensorView readInput(std::string &name, std::string &bytes) {
  std::string dtype;
  TensorView tensor;
  size_t rank = 0;
  std::cin >> name >> dtype >> tensor.bytes >> rank;
  tensor.dtype = require(parseDType(dtype));
  tensor.shape.resize(rank);
  for (int64_t &size : tensor.shape)
    std::cin >> size;
  std::cin.get(); // The end of the line.
  bytes.resize(tensor.bytes);
  std::cin.read(bytes.data(), bytes.size());
  if (!std::cin)
    check(absl::InvalidArgumentError("malformed input"));
  tensor.data = bytes.data();
  return tensor;
}

static void run(Executor &executor) {
  std::string entry;
  size_t count = 0;
  std::cin >> entry >> count;
  // Tensors point into their bytes, which must not move.
  std::vector<std::string> bytes(count);
  std::map<std::string, TensorView> inputs, outputs;
  for (std::string &memory : bytes) {
    std::string name;
    TensorView tensor = readInput(name, memory);
    inputs[name] = tensor;
  }
  check(executor.run(entry, inputs, &outputs));
  std::cout << outputs.size() << "\n";
  for (const auto &[name, tensor] : outputs) {
    std::cout << name << " " << tensor.bytes << " " << tensor.shape.size();
    for (int64_t size : tensor.shape)
      std::cout << " " << size;
    std::cout << "\n";
    std::cout.write(static_cast<const char *>(tensor.data), tensor.bytes);
  }
  std::cout.flush();
}

static void printState(const Executor &executor) {
  std::string name;
  std::cin >> name;
  const std::vector<Buffer> &buffers = executor.program().buffers;
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].name != name || !executor.bufferData(int(i)))
      continue;
    std::cout << buffers[i].maxBytes << "\n";
    std::cout.write(static_cast<const char *>(executor.bufferData(int(i))),
                    buffers[i].maxBytes);
    std::cout.flush();
    return;
  }
  check(absl::NotFoundError("there is no state " + name));
}

int main(int argc, char **argv) {
  if (argc != 3)
    check(absl::InvalidArgumentError("takes an artifact and weights"));
  ExecutorOptions options;
  options.threads = 2;
  options.paramMemory = ParamMemory::Copied;
  std::unique_ptr<Executor> executor =
      require(Executor::create(require(Artifact::open(argv[1])), options));
  check(executor->bindParams(require(Checkpoint::open({argv[2]}))));
  std::string command;
  while (std::cin >> command) {
    if (command == "run")
      run(*executor);
    else if (command == "state")
      printState(*executor);
    else if (command == "reset")
      executor->resetState();
    else
      check(absl::InvalidArgumentError("unknown command " + command));
  }
}
