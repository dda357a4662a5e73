//===- Session.cpp - A model that a test talks to -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Keeps a model open for a test in another language, which sends lines on
// stdin:
//
//   run ENTRY COUNT     then, COUNT times, "NAME DTYPE BYTES RANK SIZE..." and
//                       the bytes
//   get ENTRY NAME      is answered by "BYTES RANK SIZE..." and the bytes
//   reset               empties the cache
//
// usage: session ARTIFACT WEIGHTS
//
//===----------------------------------------------------------------------===//

#include "runtime/api/t6.h"

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

static void check(t6_status *status) {
  if (!status)
    return;
  std::cerr << "session: " << t6_status_message(status) << "\n";
  std::exit(t6_status_code(status));
}

namespace {
struct Input {
  std::string name, dtype, bytes;
  t6_tensor tensor = {};
};
} // namespace

static void readInput(Input &input) {
  size_t bytes = 0;
  std::cin >> input.name >> input.dtype >> bytes >> input.tensor.rank;
  if (!std::cin || input.tensor.rank > T6_MAX_RANK) {
    std::cerr << "session: malformed input\n";
    std::exit(T6_USAGE_ERROR);
  }
  for (size_t i = 0; i < input.tensor.rank; ++i)
    std::cin >> input.tensor.shape[i];
  std::cin.get(); // The end of the line.
  input.bytes.resize(bytes);
  std::cin.read(input.bytes.data(), bytes);
  input.tensor.name = input.name.c_str();
  input.tensor.dtype = input.dtype.c_str();
  input.tensor.data = input.bytes.data();
  input.tensor.bytes = bytes;
}

static void run(t6_model *model) {
  std::string entry;
  size_t count = 0;
  std::cin >> entry >> count;
  // Tensors point into their inputs, which must not move.
  std::vector<Input> inputs(count);
  std::vector<t6_tensor> tensors;
  for (Input &input : inputs) {
    readInput(input);
    tensors.push_back(input.tensor);
  }
  check(t6_run(model, entry.c_str(), tensors.data(), tensors.size()));
}

static void get(const t6_model *model) {
  std::string entry, name;
  std::cin >> entry >> name;
  t6_tensor tensor = {};
  check(t6_output(model, entry.c_str(), name.c_str(), &tensor));
  std::cout << tensor.bytes << " " << tensor.rank;
  for (size_t i = 0; i < tensor.rank; ++i)
    std::cout << " " << tensor.shape[i];
  std::cout << "\n";
  std::cout.write(static_cast<const char *>(tensor.data), tensor.bytes);
  std::cout.flush();
}

int main(int argc, char **argv) {
  if (argc != 3) {
    std::cerr << "usage: session ARTIFACT WEIGHTS\n";
    return T6_USAGE_ERROR;
  }
  t6_model *model = nullptr;
  check(t6_model_open(argv[1], nullptr, &model));
  check(t6_model_load_weights(model, &argv[2], 1));
  std::string command;
  while (std::cin >> command) {
    if (command == "run")
      run(model);
    else if (command == "get")
      get(model);
    else if (command == "reset")
      check(t6_reset(model));
    else
      return T6_USAGE_ERROR;
  }
  t6_model_close(model);
  return T6_OK;
}
