//===- EntryBuilder.h - The entries of a model ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds the entries of a model around its attention function.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_MODEL_ENTRYBUILDER_H
#define TPA_COMPILER_MODEL_ENTRYBUILDER_H

#include "compiler/model/LinearState.h"
#include "dialects/exec/ExecDialect.h"
#include "dialects/t6/T6Dialect.h"
#include "dialects/tpa/TpaDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/MathExtras.h"

namespace tpa {

/// Whether an attention without a normaliser keeps a state or a cache.
enum class LinearStateChoice { Auto, On, Off };

struct EntryOptions {
  int64_t maxLength = 0;    ///< tokens that the cache of a row holds
  int64_t prefillChunk = 0; ///< most tokens of a row in one prefill run
  int64_t verifyTokens = 0; ///< tokens of a row in one verify run
  bool quantize = false;    ///< matrices of contractions as 8-bit integers
  int64_t pageTokens = 0;   ///< tokens of a page; 0: a row is one piece
  LinearStateChoice linearState = LinearStateChoice::Auto;
  int64_t cacheTokens = 0;   ///< tokens of all pages; 0: rows at their longest
  bool lossByBlocks = false; ///< the entry `loss` never has all logits
  int64_t vocabularyBlock = 0; ///< most tokens with logits at once, by blocks
  bool autocast = false;       ///< losses multiply factors in bf16
};

/// Names of the parameters around attention, and whether norms have weights.
struct CheckpointNames {
  std::string layerPrefix; ///< "{}" stands for the layer
  std::string embedding, head, gate, up, down;
  std::string attentionNorm, ffnNorm, finalNorm; ///< empty: no weight
};

class EntryBuilder {
public:
  EntryBuilder(t6::ModelOp model, EntryOptions options);

  /// Declares parameters and finds what the cache holds, or a state.
  mlir::LogicalResult prepare();
  /// The element type of matrices, known once prepared.
  mlir::Type parameterType() const { return weightType; }
  /// Builds `prefill`, `decode`, `verify`, `loss` or `accumulate_gradients`.
  mlir::LogicalResult build(llvm::StringRef entry);
  /// Builds `apply_adamw`.
  void buildOptimizer();
  /// The names of all entries that there are.
  static llvm::ArrayRef<llvm::StringLiteral> entryNames();
  /// Erases the model and its attention function; returns the number of cache
  /// tensors per layer.
  int64_t finish();

private:
  struct Param {
    std::string name; ///< within the layer
    mlir::RankedTensorType type;
    llvm::SmallVector<int64_t> stored;
    exec::InitAttr init;
    std::string scales; ///< the parameter whose scales these are, or empty
  };

  /// Operands of the attention that tokens contribute to, each once, with the
  /// term under which it is first read.
  static llvm::SmallVector<std::pair<mlir::Value, std::string>>
  streamedFactors(AttentionOp op);
  /// The numbers of all operands that they are.
  static llvm::SmallVector<unsigned> streamedOperands(AttentionOp op);
  static bool trains(llvm::StringRef entry) {
    return entry == "accumulate_gradients";
  }
  static bool hasCache(llvm::StringRef entry) {
    return entry != "loss" && !trains(entry);
  }
  /// `n`, where the number of tokens of a run varies, and `m` with a cache.
  static llvm::SmallVector<llvm::StringRef> scalarsOf(llvm::StringRef entry);
  /// What a block is told about its tokens: the position of each row's first
  /// one where there is a cache; of a tree also each token's own, and
  /// ancestors; where rings or states are filled from padded rows, each row's
  /// last; at the end, of a cache in pages the table, of states how many of a
  /// row's tokens in this run they hold.
  llvm::SmallVector<mlir::Type> placesOf(llvm::StringRef entry) const;
  /// A block takes scalars, places, x, caches, parameters.
  unsigned xIndex(llvm::StringRef entry) const {
    return scalarsOf(entry).size() + placesOf(entry).size();
  }
  bool isPaged() const { return options.pageTokens > 0 && !state; }
  bool readsLast() const { return state || !ringTypes.empty(); }
  /// Pages that the longest row takes.
  int64_t pagesOfRow() const {
    return llvm::divideCeil(options.maxLength, options.pageTokens);
  }
  /// Decides whether there are pages, and how many.
  mlir::LogicalResult planPages();
  /// The pages that rows share, and one that belongs to none.
  int64_t pageCount() const { return sharedPages + 1; }
  /// Tokens of a row in one run.
  int64_t tokensOf(llvm::StringRef entry) const;
  /// Lists the parameters of a layer: its attention's, then the others.
  mlir::LogicalResult collectParams();
  void collectCaches(AttentionOp op);
  /// Finds whether the attention keeps a state; says so, and why.
  mlir::LogicalResult chooseState(AttentionOp op);
  void declareStates();
  /// Tokens from each row's position on that states hold: one where a row runs
  /// its last token again.
  mlir::Value heldTokens(mlir::OpBuilder &builder, mlir::Value positions);
  /// States hold all up to the end of this run.
  void storeHeld(mlir::OpBuilder &builder, mlir::Value positions,
                 mlir::Value last);
  /// Lists what runs have to know of the tokens just before theirs.
  mlir::LogicalResult collectRings();
  void declareParams();
  void declareParam(const llvm::Twine &name, const Param &param,
                    llvm::StringRef tiedTo = {});
  /// A parameter outside attention, where no t6.param says how it starts: a
  /// matrix as `reference` of the reference code or normal as in LLaMA, a norm
  /// at one.
  Param outerParam(llvm::StringRef name, mlir::RankedTensorType type,
                   t6::InitKind reference = t6::InitKind::Linear);
  mlir::RankedTensorType normType() {
    return mlir::RankedTensorType::get(
        {int64_t(model.getWidth())},
        mlir::Float32Type::get(model.getContext()));
  }
  mlir::RankedTensorType matrix(int64_t rows, int64_t columns) {
    return mlir::RankedTensorType::get({rows, columns}, weightType);
  }
  exec::BufferOp declareBuffer(exec::BufferKind kind, const llvm::Twine &name,
                               mlir::RankedTensorType type,
                               llvm::ArrayRef<int64_t> stored = {},
                               llvm::ArrayRef<int64_t> range = {});
  std::string layerName(int64_t layer, llvm::StringRef name) const;
  std::string cacheName(int64_t layer, int64_t index) const;
  mlir::Value load(mlir::OpBuilder &builder, const llvm::Twine &name,
                   mlir::ValueRange sizes = {});
  mlir::LogicalResult buildBlock(llvm::StringRef entry);
  mlir::FailureOr<mlir::Value> inlineAttention(mlir::OpBuilder &builder,
                                               llvm::StringRef entry,
                                               mlir::func::FuncOp block,
                                               mlir::Value x);
  /// The attention of a run's tokens to each other and to the states.
  mlir::Value attendByState(mlir::OpBuilder &builder, llvm::StringRef entry,
                            mlir::func::FuncOp block, AttentionOp op,
                            const mlir::IRMapping &map);
  /// What a run adds to each state; `masked` stands for the value factor.
  llvm::SmallVector<mlir::Value> sumTokens(mlir::OpBuilder &builder,
                                           AttentionOp op,
                                           const mlir::IRMapping &map,
                                           mlir::Value masked);
  mlir::Value readStates(mlir::OpBuilder &builder, AttentionOp op,
                         const mlir::IRMapping &map, mlir::ValueRange states);
  mlir::Value norm(mlir::OpBuilder &builder, mlir::Value x,
                   llvm::StringRef weight, mlir::func::FuncOp block);
  mlir::Value blockParam(mlir::OpBuilder &builder, mlir::func::FuncOp block,
                         llvm::StringRef name);
  /// Makes the parameter 8-bit integers and returns its scales; none, with a
  /// remark, where it must stay. `source` is its t6.param, if it has one.
  std::optional<Param> quantize(Param &param, t6::ParamOp source);
  void quantizeParams();
  static std::string scaleName(llvm::StringRef name) {
    return (name + ".scale").str();
  }
  /// A matrix outside the block, dequantised where it is of integers.
  mlir::Value loadMatrix(mlir::OpBuilder &builder, llvm::StringRef name);
  mlir::Value buildLayers(mlir::OpBuilder &builder, exec::EntryOp entry,
                          mlir::Value x, mlir::ValueRange places);
  mlir::Value buildHead(mlir::OpBuilder &builder, mlir::Value x);
  /// Stores the loss of `entry`, from the last hidden state by blocks of the
  /// vocabulary: the logits of a batch are never there at once.
  void buildLossByBlocks(mlir::OpBuilder &builder, llvm::StringRef entry,
                         mlir::ValueRange n, mlir::Value x);
  /// A function from `n`, where it varies, a hidden state and rows of the head
  /// to the log-sum-exp of their logits.
  mlir::func::FuncOp vocabularyBlock(llvm::StringRef entry, mlir::ValueRange n,
                                     mlir::RankedTensorType x, int64_t rows);

  t6::ModelOp model;
  EntryOptions options;
  mlir::ModuleOp module;
  llvm::StringMap<mlir::Type> bufferTypes;
  mlir::func::FuncOp attention;
  mlir::func::FuncOp trainingAttention; ///< null: the same
  CheckpointNames names;
  mlir::Location loc;
  int64_t batch = 0;
  int64_t sharedPages = 0;
  mlir::Type weightType; ///< of the elements of matrices and caches
  llvm::SmallVector<Param> params;
  /// Where one stands for all tokens of a row.
  std::optional<LinearState> state;
  /// How many tokens the states of a row hold, for all layers.
  static constexpr llvm::StringLiteral heldName = "state.tokens";
  /// Key- and value-side operands of the attention with the key index, or its
  /// states.
  llvm::SmallVector<mlir::Value> cached;
  llvm::SmallVector<mlir::RankedTensorType> cacheTypes;
  /// Of the rings of the attention's tpa.recent, in their order. A block takes
  /// and returns them behind the caches.
  llvm::SmallVector<mlir::RankedTensorType> ringTypes;
  /// Of the block in the making: each ring, and what it is to hold.
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> rings;
  /// States that the run has read, and what is to be added to each.
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> additions;
};

} // namespace tpa

#endif // TPA_COMPILER_MODEL_ENTRYBUILDER_H
