//===- AttentionLibrary.cpp - Built-in attentions -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The attention functions of models/attention, carried inside the compiler.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/AttentionLibrary.h"
#include "mlir/Parser/Parser.h"

using namespace mlir;

namespace {
struct Source {
  llvm::StringLiteral name;
  llvm::StringLiteral text;
};
// Generated from models/attention/*.mlir, sorted by name.
constexpr Source sources[] = {
#include "compiler/model/AttentionSources.inc"
};
} // namespace

namespace tpa {

SmallVector<StringRef> attentionLibraryNames() {
  SmallVector<StringRef> names;
  for (const Source &source : sources)
    names.push_back(source.name);
  return names;
}

func::FuncOp importAttention(ModuleOp module, StringRef name) {
  for (const Source &source : sources) {
    if (source.name != name)
      continue;
    ParserConfig config(module.getContext());
    OwningOpRef<ModuleOp> parsed = parseSourceString<ModuleOp>(
        source.text, config, ("attention/" + name + ".mlir").str());
    if (!parsed)
      return {};
    func::FuncOp function = parsed->lookupSymbol<func::FuncOp>(name);
    function->remove();
    module.push_back(function);
    return function;
  }
  return {};
}

} // namespace tpa
