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
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/IR/Builders.h"
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

void insertSubln(func::FuncOp function, StringRef size) {
  AttentionOp attention = *function.getOps<AttentionOp>().begin();
  OpBuilder builder(attention);
  Location loc = attention.getLoc();
  auto type =
      RankedTensorType::get({ShapedType::kDynamic}, builder.getF32Type());
  Value weight = t6::ParamOp::create(
      builder, loc, type, StringRef("attn.subln.weight"), size, t6::InitAttr());
  builder.setInsertionPointAfter(attention);
  auto norm = t6::RmsNormOp::create(builder, loc, attention.getResult(), weight,
                                    llvm::APFloat(1e-5));
  attention.getResult().replaceAllUsesExcept(norm, norm);
}

void setRopeTheta(func::FuncOp function, double theta) {
  Builder builder(function.getContext());
  function.walk([&](RopeOp op) {
    RopeAttr rope = op.getRope();
    op.setRopeAttr(RopeAttr::get(
        op.getContext(), builder.getF64FloatAttr(theta), rope.getFraction(),
        rope.getPairs(), rope.getTransposed(), rope.getTable(), rope.getDecay(),
        rope.getDecayBase(), rope.getReciprocal()));
  });
}

} // namespace tpa
