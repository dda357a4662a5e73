//===- ArtifactFuzz.cpp - Fuzzes the artifact readers ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An input that begins with '{' goes to the program reader, any other to the
// opener of artifacts. A program that is accepted must survive its uses and a
// round trip. Kernels are never loaded: they are trusted code.
//
//===----------------------------------------------------------------------===//

#include "runtime/artifact/Artifact.h"
#include "runtime/schema/Program.h"

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace t6;

static void require(bool holds, const char *what) {
  if (holds)
    return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

static void useProgram(const Program &program) {
  int64_t total = 0;
  for (const Buffer &buffer : program.buffers)
    total += buffer.maxBytes;
  require(total >= 0 && total <= kMaxProgramBytes, "sizes are bounded");
  for (const Entry &entry : program.entries) {
    std::vector<int64_t> maxima = maxScalars(entry);
    for (const Dispatch &dispatch : entry.dispatches) {
      int64_t workgroups = workgroupsAt(dispatch, maxima);
      require(workgroups >= 1 && workgroups <= kMaxWorkgroups,
              "workgroups are bounded");
      require(costAt(dispatch.cost.flops, maxima) >= 0, "costs are positive");
      for (const Binding &binding : dispatch.bindings) {
        const Buffer &buffer = program.buffers[binding.buffer];
        require(binding.offset + binding.bytes <= buffer.maxBytes,
                "bindings are inside their buffers");
      }
      for (int write : dispatch.writes)
        require(size_t(write) < dispatch.bindings.size(), "writes exist");
    }
  }
  std::string text = serializeProgram(program);
  absl::StatusOr<Program> again = parseProgram(text);
  require(again.ok(), "a written program reads back");
  require(serializeProgram(*again) == text, "a round trip changes nothing");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  absl::string_view bytes(reinterpret_cast<const char *>(data), size);
  if (!bytes.empty() && bytes[0] == '{') {
    absl::StatusOr<Program> program = parseProgram(bytes);
    if (program.ok())
      useProgram(*program);
    return 0;
  }
  auto artifact = Artifact::fromMemory(bytes, "fuzz.t6x");
  if (!artifact.ok())
    return 0;
  useProgram((*artifact)->program());
  for (const auto &file : (*artifact)->files())
    if (absl::StatusOr<std::string> text = (*artifact)->readFile(file.name);
        text.ok())
      require(int64_t(text->size()) == file.bytes, "files have their size");
  return 0;
}
