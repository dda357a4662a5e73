//===- EntryOptimizer.cpp - The optimiser of a training step -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds the entry that steps all parameters along their gradients.
//
//===----------------------------------------------------------------------===//

#include "compiler/model/EntryBuilder.h"

using namespace mlir;

namespace tpa {

void EntryBuilder::buildOptimizer() {
  constexpr llvm::StringLiteral name = "apply_adamw";
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto one = RankedTensorType::get({1}, builder.getF32Type());
  // Before the states below: those are parameters no more.
  SmallVector<exec::BufferOp> parameters;
  for (auto buffer : module.getOps<exec::BufferOp>())
    if (buffer.getKind() == exec::BufferKind::Param)
      parameters.push_back(buffer);
  auto state = [&](const Twine &symbol, Type type) {
    if (!module.lookupSymbol(symbol.str()))
      declareBuffer(exec::BufferKind::State, symbol,
                    cast<RankedTensorType>(type));
  };
  for (exec::BufferOp parameter : parameters)
    for (StringRef prefix : {"gradient.", "adamw.m.", "adamw.v."})
      state(prefix + parameter.getSymName(), parameter.getType());
  for (StringRef input :
       {"learning_rate", "beta1", "beta2", "epsilon", "weight_decay",
        "vector_weight_decay", "gradient_scale", "max_norm", "bias_correction1",
        "bias_correction2"})
    declareBuffer(exec::BufferKind::Input, name + "." + input, one);
  for (StringRef output :
       {"gradient_norm", "parameter_norm", "moment_norm", "second_moment_norm"})
    declareBuffer(exec::BufferKind::Output, name + "." + output, one);

  builder.setInsertionPointToEnd(module.getBody());
  auto entry =
      exec::EntryOp::create(builder, loc, name, builder.getStrArrayAttr({}),
                            builder.getDenseI64ArrayAttr({}));
  builder.createBlock(&entry.getBody());
  auto input = [&](StringRef what) { return load(builder, name + "." + what); };
  Value rate = input("learning_rate"), beta1 = input("beta1"),
        beta2 = input("beta2"), epsilon = input("epsilon"),
        matrixDecay = input("weight_decay"),
        vectorDecay = input("vector_weight_decay"),
        scale = input("gradient_scale"), maxNorm = input("max_norm"),
        correction1 = input("bias_correction1"),
        correction2 = input("bias_correction2");
  SmallVector<Value> gradients;
  for (exec::BufferOp parameter : parameters)
    gradients.push_back(load(builder, "gradient." + parameter.getSymName()));
  Value norm =
      t6::GlobalNormOp::create(builder, loc, one, gradients, /*squared=*/false);
  norm = EinsumOp::create(builder, loc, "a,a->a", ValueRange{norm, scale},
                          APFloat(1.0));
  Value clipped =
      t6::ClipScaleOp::create(builder, loc, one, scale, norm, maxNorm);
  SmallVector<Value> squares[3];
  for (auto [parameter, gradient] : llvm::zip_equal(parameters, gradients)) {
    StringRef symbol = parameter.getSymName();
    bool isMatrix = cast<RankedTensorType>(parameter.getType()).getRank() > 1;
    auto step = t6::AdamWOp::create(
        builder, loc, load(builder, symbol), gradient,
        load(builder, "adamw.m." + symbol), load(builder, "adamw.v." + symbol),
        clipped, rate, beta1, beta2, epsilon,
        isMatrix ? matrixDecay : vectorDecay, correction1, correction2);
    constexpr llvm::StringLiteral prefixes[] = {"", "adamw.m.", "adamw.v."};
    for (unsigned i = 0; i < 3; ++i) {
      exec::StoreOp::create(builder, loc, step.getResult(i),
                            (prefixes[i] + symbol).str());
    }
    squares[0].push_back(step.getParamSquares());
    squares[1].push_back(step.getMSquares());
    squares[2].push_back(step.getVSquares());
    exec::StoreOp::create(builder, loc, step.getCleared(),
                          ("gradient." + symbol).str());
  }
  exec::StoreOp::create(builder, loc, norm, (name + ".gradient_norm").str());
  constexpr llvm::StringLiteral norms[] = {".parameter_norm", ".moment_norm",
                                           ".second_moment_norm"};
  for (unsigned i = 0; i < 3; ++i)
    exec::StoreOp::create(builder, loc,
                          t6::GlobalNormOp::create(
                              builder, loc, one, squares[i], /*squared=*/true),
                          (name + norms[i]).str());
}

} // namespace tpa
