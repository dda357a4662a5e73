//===- ProgramBuilder.cpp - The program.json of a planned module ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "compiler/artifact/ProgramBuilder.h"
#include "compiler/artifact/RopeTable.h"
#include "compiler/model/ConfigKeys.h"
#include "dialects/exec/ExecDialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;

namespace tpa {
namespace {

constexpr int64_t constantAlignment = 64;

int64_t bytesOf(RankedTensorType type) {
  return type.getNumElements() * (type.getElementTypeBitWidth() / 8);
}

FailureOr<::t6::DType> dtypeOf(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (element.isF32())
    return ::t6::DType::F32;
  if (element.isBF16())
    return ::t6::DType::BF16;
  if (element.isInteger(32))
    return ::t6::DType::I32;
  if (element.isInteger(64))
    return ::t6::DType::I64;
  if (element.isInteger(8))
    return ::t6::DType::U8;
  return failure();
}

::t6::BufferKind kindOf(exec::BufferKind kind) {
  switch (kind) {
  case exec::BufferKind::Param:
    return ::t6::BufferKind::Param;
  case exec::BufferKind::State:
    return ::t6::BufferKind::State;
  case exec::BufferKind::Constant:
    return ::t6::BufferKind::Constant;
  case exec::BufferKind::Input:
    return ::t6::BufferKind::Input;
  case exec::BufferKind::Output:
    return ::t6::BufferKind::Output;
  case exec::BufferKind::Arena:
    return ::t6::BufferKind::Arena;
  }
  llvm_unreachable("all kinds are handled");
}

/// A value of configKeys().
llvm::json::Value jsonOf(Attribute value) {
  if (auto flag = dyn_cast<BoolAttr>(value))
    return flag.getValue();
  if (auto integer = dyn_cast<IntegerAttr>(value))
    return integer.getInt();
  if (auto number = dyn_cast<FloatAttr>(value))
    return number.getValueAsDouble();
  if (auto text = dyn_cast<StringAttr>(value))
    return text.getValue();
  if (auto list = dyn_cast<ArrayAttr>(value))
    return llvm::json::Array(llvm::map_range(list, jsonOf));
  return nullptr;
}

std::string jsonText(DictionaryAttr keys) {
  llvm::json::Object object;
  for (NamedAttribute entry : keys)
    object[entry.getName().strref()] = jsonOf(entry.getValue());
  return llvm::formatv("{0}", llvm::json::Value(std::move(object)));
}

::t6::Init::Kind kindOf(exec::InitKind kind) {
  switch (kind) {
  case exec::InitKind::Constant:
    return ::t6::Init::Kind::Constant;
  case exec::InitKind::Uniform:
    return ::t6::Init::Kind::Uniform;
  case exec::InitKind::Normal:
    return ::t6::Init::Kind::Normal;
  }
  llvm_unreachable("all kinds are handled");
}

class ProgramBuilder {
public:
  explicit ProgramBuilder(ModuleOp module) : module(module), symbols(module) {}

  FailureOr<::t6::Program> build() {
    for (auto buffer : module.getOps<exec::BufferOp>())
      if (failed(addBuffer(buffer)))
        return failure();
    for (auto entry : module.getOps<exec::EntryOp>())
      if (failed(addEntry(entry)))
        return failure();
    addModel();
    return std::move(program);
  }

private:
  LogicalResult addBuffer(exec::BufferOp op) {
    auto type = cast<RankedTensorType>(op.getType());
    ::t6::Buffer buffer;
    buffer.name = op.getSymName().str();
    buffer.kind = kindOf(op.getKind());
    FailureOr<::t6::DType> dtype = dtypeOf(type);
    if (failed(dtype))
      return op.emitOpError("has an element type that artifacts do not know: ")
             << type;
    buffer.dtype = *dtype;
    if (op.getKind() == exec::BufferKind::Param && *dtype == ::t6::DType::U8)
      buffer.dtype = ::t6::DType::I8;
    int64_t bytes = type.getElementTypeBitWidth() / 8;
    for (int64_t size : type.getShape())
      if (!ShapedType::isDynamic(size) &&
          __builtin_mul_overflow(bytes, size, &bytes))
        return op.emitOpError("has more bytes than 64 bits count");
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        buffer.shape.emplace_back(
            cast<StringAttr>((*op.getDims())[i]).getValue().str());
      else
        buffer.shape.emplace_back(type.getDimSize(i));
    if (DenseI64ArrayAttr stored = op.getStoredAttr())
      buffer.storedShape.assign(stored.asArrayRef().begin(),
                                stored.asArrayRef().end());
    else if (op.getKind() == exec::BufferKind::Param)
      buffer.storedShape.assign(type.getShape().begin(), type.getShape().end());
    if (auto init = dyn_cast_if_present<exec::InitAttr>(op.getInitAttr());
        init && op.getKind() == exec::BufferKind::Param)
      buffer.init = ::t6::Init{kindOf(init.getKind()),
                               init.getValue().getValueAsDouble()};
    buffer.scales = op.getScales().value_or("").str();
    buffer.tiedTo = op.getTiedTo().value_or("").str();
    if (op.getKind() == exec::BufferKind::State)
      buffer.param = paramOf(op.getSymName()).str();
    if (DenseI64ArrayAttr range = op.getRangeAttr()) {
      buffer.hasRange = true;
      buffer.rangeLow = range[0];
      buffer.rangeHigh = op.getBelow() ? ::t6::Extent(op.getBelow()->str())
                                       : ::t6::Extent(range[1]);
    }
    if (op.getKind() == exec::BufferKind::Constant) {
      buffer.offset = constantBytes;
      constantBytes += llvm::alignTo(bytesOf(type), constantAlignment);
    }
    if (op.getRecurrent())
      recurrent.insert(op.getSymName());
    indices[op.getSymName()] = program.buffers.size();
    program.buffers.push_back(buffer);
    return success();
  }

  LogicalResult addEntry(exec::EntryOp op) {
    ::t6::Entry entry;
    entry.name = op.getSymName().str();
    addPorts(entry);
    for (auto [name, maximum] : llvm::zip_equal(
             op.getScalars().getAsValueRange<StringAttr>(), op.getMaxima()))
      if (failed(addScalar(op, entry, name, maximum)))
        return failure();
    if (failed(checkPorts(op, entry)))
      return failure();
    for (auto dispatch : op.getBody().front().getOps<exec::DispatchOp>())
      if (failed(addDispatch(entry, dispatch)))
        return failure();
    program.entries.push_back(entry);
    return success();
  }

  /// Inputs and outputs are the buffers named after the entry.
  void addPorts(::t6::Entry &entry) {
    std::string prefix = entry.name + ".";
    for (auto [i, buffer] : llvm::enumerate(program.buffers)) {
      StringRef name = buffer.name;
      if (!name.consume_front(prefix))
        continue;
      if (buffer.kind == ::t6::BufferKind::Input)
        entry.inputs.push_back({name.str(), int(i)});
      if (buffer.kind == ::t6::BufferKind::Output)
        entry.outputs.push_back({name.str(), int(i)});
    }
  }

  /// Sizes and ranges are named after scalars that exist.
  LogicalResult checkPorts(exec::EntryOp op, const ::t6::Entry &entry) {
    llvm::StringSet<> names;
    for (const ::t6::Scalar &scalar : entry.scalars)
      names.insert(scalar.name);
    for (const std::vector<::t6::Port> *ports : {&entry.inputs, &entry.outputs})
      for (const ::t6::Port &port : *ports) {
        const ::t6::Buffer &buffer = program.buffers[port.buffer];
        std::vector<::t6::Extent> extents = buffer.shape;
        extents.push_back(buffer.rangeHigh);
        for (const ::t6::Extent &extent : extents)
          if (!extent.isStatic() && !names.contains(extent.scalar))
            return op.emitOpError("has no scalar '")
                   << extent.scalar << "', which @" << buffer.name << " names";
      }
    return success();
  }

  /// `n` is the number of tokens in the run, where it varies, `m` where the
  /// longest row ends.
  LogicalResult addScalar(exec::EntryOp op, ::t6::Entry &entry, StringRef name,
                          int64_t maximum) {
    ::t6::Scalar scalar;
    scalar.name = name.str();
    scalar.max = maximum;
    auto inputNamed = [&](StringRef wanted) {
      for (auto [i, port] : llvm::enumerate(entry.inputs))
        if (port.name == wanted)
          return int(i);
      return -1;
    };
    if (name == "n") {
      scalar.source = ::t6::Scalar::Source::Dim;
      scalar.input = inputNamed("tokens");
      scalar.axis = 1;
    } else if (name == "m") {
      scalar.source = ::t6::Scalar::Source::End;
      scalar.input = inputNamed("positions");
      scalar.plus = ::t6::Extent(int64_t(1));
      if (int tokens = inputNamed("tokens"); tokens >= 0) {
        const ::t6::Buffer &ids = program.buffers[entry.inputs[tokens].buffer];
        if (ids.shape.size() > 1)
          scalar.plus = ids.shape[1];
      }
      if (!scalar.plus.isStatic())
        scalar.plus.scalarIndex = 0;
    } else {
      return op.emitOpError("has a scalar '")
             << name << "': artifacts know n and m";
    }
    if (scalar.input < 0)
      return op.emitOpError("has a scalar '")
             << name << "' without the input it is read from";
    entry.scalars.push_back(scalar);
    return success();
  }

  LogicalResult addDispatch(::t6::Entry &entry, exec::DispatchOp op) {
    auto kernel = symbols.lookup<FunctionOpInterface>(op.getKernel());
    auto grid = kernel
                    ? kernel->getAttrOfType<AffineMapAttr>(exec::gridAttrName)
                    : AffineMapAttr();
    if (!grid)
      return op.emitOpError("runs @")
             << op.getKernel() << ", which is no generated kernel";
    ::t6::Dispatch dispatch;
    auto [known, isNew] =
        kernels.insert({op.getKernel(), int(program.kernels.size())});
    if (isNew)
      program.kernels.push_back(
          {op.getKernel().str(), kernel->hasAttr(exec::roundsAttrName)});
    dispatch.kernel = known->second;
    dispatch.label = op.getLabel().value_or("").str();
    SmallVector<int> scalars;
    for (Value scalar : op.getScalars()) {
      auto argument = dyn_cast<BlockArgument>(scalar);
      if (!argument)
        return op.emitOpError("takes a scalar that is none of its entry");
      scalars.push_back(argument.getArgNumber());
    }
    dispatch.scalars.assign(scalars.begin(), scalars.end());
    for (AffineExpr count : grid.getValue().getResults())
      if (failed(addGridDim(op, entry, dispatch, count)))
        return failure();
    for (Value operand : op.getReads())
      if (failed(addBinding(op, entry, dispatch, operand)))
        return failure();
    for (Value operand : op.getWrites()) {
      dispatch.writes.push_back(dispatch.bindings.size());
      if (failed(addBinding(op, entry, dispatch, operand)))
        return failure();
    }
    if (exec::CostAttr cost = op.getCostAttr()) {
      dispatch.cost.read = polynomial(cost.getRead(), scalars);
      dispatch.cost.write = polynomial(cost.getWrite(), scalars);
      dispatch.cost.flops = polynomial(cost.getFlops(), scalars);
    }
    entry.dispatches.push_back(dispatch);
    return success();
  }

  /// extent ceildiv tile, which affine simplification may have made a constant
  /// or, for a tile of one, the extent itself.
  LogicalResult addGridDim(exec::DispatchOp op, const ::t6::Entry &entry,
                           ::t6::Dispatch &dispatch, AffineExpr count) {
    int64_t tile = 1;
    if (auto division = dyn_cast<AffineBinaryOpExpr>(count);
        division && division.getKind() == AffineExprKind::CeilDiv) {
      tile = cast<AffineConstantExpr>(division.getRHS()).getValue();
      count = division.getLHS();
    }
    ::t6::Extent extent;
    if (auto constant = dyn_cast<AffineConstantExpr>(count)) {
      extent.value = constant.getValue();
    } else if (auto symbol = dyn_cast<AffineSymbolExpr>(count)) {
      extent.scalarIndex = dispatch.scalars[symbol.getPosition()];
      extent.scalar = entry.scalars[extent.scalarIndex].name;
    } else {
      return op.emitOpError("has a grid that is no quotient of a scalar");
    }
    dispatch.grid.push_back({extent, tile});
    return success();
  }

  LogicalResult addBinding(exec::DispatchOp op, const ::t6::Entry &entry,
                           ::t6::Dispatch &dispatch, Value operand) {
    auto view = operand.getDefiningOp<exec::ViewOp>();
    if (!view || !indices.count(view.getBuffer()))
      return op.emitOpError("has an operand that is no view of a buffer");
    ::t6::Binding binding;
    binding.buffer = indices[view.getBuffer()];
    binding.offset = view.getOffset();
    auto type = cast<MemRefType>(view.getResult().getType());
    FailureOr<::t6::DType> dtype = dtypeOf(type);
    if (failed(dtype))
      return op.emitOpError("has an operand of unknown element type");
    binding.dtype = *dtype;
    if (program.buffers[binding.buffer].dtype == ::t6::DType::I8)
      binding.dtype = ::t6::DType::I8;
    // What the arena lends at most: with every scalar at its maximum.
    binding.bytes = type.getElementTypeBitWidth() / 8;
    auto sizes = view.getSizes().begin();
    for (int64_t size : type.getShape())
      binding.bytes *=
          ShapedType::isDynamic(size)
              ? entry.scalars[cast<BlockArgument>(*sizes++).getArgNumber()].max
              : size;
    dispatch.bindings.push_back(binding);
    return success();
  }

  /// Sums of products of constants and symbols.
  static ::t6::CostPolynomial polynomial(AffineMap map, ArrayRef<int> scalars) {
    ::t6::CostPolynomial terms;
    addTerms(map.getResult(0), {1, {}}, scalars, terms);
    return terms;
  }

  static void addTerms(AffineExpr expr, ::t6::CostTerm factor,
                       ArrayRef<int> scalars, ::t6::CostPolynomial &terms) {
    if (auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
        sum && sum.getKind() == AffineExprKind::Add) {
      addTerms(sum.getLHS(), factor, scalars, terms);
      addTerms(sum.getRHS(), factor, scalars, terms);
      return;
    }
    // A product: multiply its factors into the term, sums inside distribute.
    SmallVector<AffineExpr> pending = {expr};
    while (!pending.empty()) {
      AffineExpr part = pending.pop_back_val();
      if (auto constant = dyn_cast<AffineConstantExpr>(part)) {
        factor.coefficient *= constant.getValue();
      } else if (auto symbol = dyn_cast<AffineSymbolExpr>(part)) {
        factor.scalars.push_back(scalars[symbol.getPosition()]);
      } else {
        auto binary = cast<AffineBinaryOpExpr>(part);
        if (binary.getKind() == AffineExprKind::Add) {
          AffineExpr rest = getAffineConstantExpr(1, expr.getContext());
          for (AffineExpr other : pending)
            rest = rest * other;
          addTerms(binary.getLHS() * rest, factor, scalars, terms);
          addTerms(binary.getRHS() * rest, factor, scalars, terms);
          return;
        }
        pending.append({binary.getLHS(), binary.getRHS()});
      }
    }
    if (factor.coefficient != 0)
      terms.push_back(factor);
  }

  void addModel() {
    auto summary = module->getAttrOfType<DictionaryAttr>("t6.summary");
    ::t6::ModelInfo &model = program.model;
    // Entries written by hand have no model.
    model.name = module.getSymName().value_or("program").str();
    auto integer = [&](StringRef name) -> int64_t {
      auto value = summary ? summary.getAs<IntegerAttr>(name) : IntegerAttr();
      return value ? value.getInt() : 0;
    };
    if (summary) {
      if (auto name = summary.getAs<StringAttr>("sym_name"))
        model.name = name.str();
      if (auto attention = summary.getAs<FlatSymbolRefAttr>("attention"))
        model.attention = attention.getValue().str();
      if (auto keys = summary.getAs<DictionaryAttr>(configAttrName))
        model.config = jsonText(keys);
    }
    model.vocabSize = integer("vocab");
    model.layers = integer("layers");
    model.width = integer("width");
    model.context = integer("context_length");
    program.options.batch = std::max<int64_t>(integer("batch"), 1);
    program.options.maxLength = integer("max_length");
    program.options.prefillChunk = integer("prefill_chunk");
    program.options.pageTokens = integer("page_tokens");
    for (const ::t6::Buffer &buffer : program.buffers) {
      int64_t elements = 1;
      for (const ::t6::Extent &extent : buffer.shape)
        elements *= extent.isStatic() ? extent.value : 0;
      // Scales are part of another parameter, whose type is not the options'.
      if (buffer.kind == ::t6::BufferKind::Param && buffer.scales.empty()) {
        model.parameters += elements;
        if (buffer.shape.size() > 1 && buffer.dtype != ::t6::DType::I8)
          program.options.dtype = buffer.dtype;
      }
      if (buffer.kind != ::t6::BufferKind::State || !buffer.param.empty())
        continue;
      int64_t bytes = elements / buffer.shape[0].value *
                      int64_t(::t6::byteSize(buffer.dtype));
      if (recurrent.contains(buffer.name)) {
        model.stateBytes += bytes;
      } else if (buffer.shape.size() > 1) {
        program.options.dtype = buffer.dtype;
        model.cacheBytesPerToken += bytes / buffer.shape[1].value;
      }
    }
    program.options.compute = program.options.dtype;
    if (auto compute =
            summary ? summary.getAs<TypeAttr>("compute") : TypeAttr())
      if (FailureOr<::t6::DType> dtype = dtypeOf(compute.getValue());
          succeeded(dtype))
        program.options.compute = *dtype;
  }

  /// The parameter behind a prefix of a state's name: `gradient.wte`.
  StringRef paramOf(StringRef state) {
    while (!state.empty()) {
      state = state.split('.').second;
      auto buffer =
          state.empty() ? nullptr : symbols.lookup<exec::BufferOp>(state);
      if (buffer && buffer.getKind() == exec::BufferKind::Param)
        return state;
    }
    return {};
  }

  ModuleOp module;
  SymbolTable symbols;
  ::t6::Program program;
  llvm::StringMap<int> indices;
  llvm::StringMap<int> kernels;
  /// States of a size that no number of tokens changes.
  llvm::StringSet<> recurrent;
  int64_t constantBytes = 0;
};

} // namespace

FailureOr<::t6::Program> buildProgram(ModuleOp module) {
  return ProgramBuilder(module).build();
}

FailureOr<std::string> buildConstants(ModuleOp module) {
  std::string bytes;
  for (auto buffer : module.getOps<exec::BufferOp>()) {
    if (buffer.getKind() != exec::BufferKind::Constant)
      continue;
    auto rope = dyn_cast<RopeAttr>(*buffer.getInit());
    auto type = cast<RankedTensorType>(buffer.getType());
    if (!rope || type.getRank() != 3 || type.getDimSize(1) != 2)
      return buffer.emitOpError("has an init that is no rotary table: ")
             << *buffer.getInit();
    std::vector<float> table =
        ropeTable(rope, type.getDimSize(0), type.getDimSize(2));
    if (llvm::any_of(table, [](float x) { return !std::isfinite(x); }))
      return buffer.emitOpError("has a decay that leaves the range of f32 "
                                "within ")
             << type.getDimSize(0)
             << " positions: raise decay_base or lower the maximum length";
    bytes.append(reinterpret_cast<const char *>(table.data()),
                 table.size() * sizeof(float));
    bytes.resize(llvm::alignTo(bytes.size(), constantAlignment));
  }
  return bytes;
}

} // namespace tpa
