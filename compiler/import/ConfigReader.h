//===- ConfigReader.h - Keys of a config.json -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checked access to the keys of a config.json.
//
//===----------------------------------------------------------------------===//

#ifndef TPA_COMPILER_IMPORT_CONFIGREADER_H
#define TPA_COMPILER_IMPORT_CONFIGREADER_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"
#include <optional>

namespace tpa {

/// A JSON object from an untrusted file. The first complaint is emitted as a
/// diagnostic at the key's place in the file and remembered; later ones are
/// dropped, and accessors then return harmless values. So a caller reads all it
/// needs and asks `failed()` once. A key whose value is null counts as absent.
class ConfigReader {
public:
  /// Sizes above this are no model's: it keeps products of three in 72 bits,
  /// and a check of the total in double.
  static constexpr int64_t maxSize = int64_t(1) << 24;

  /// `json` and `fileName` must outlive the reader.
  ConfigReader(llvm::StringRef json, llvm::StringRef fileName,
               mlir::MLIRContext &context);

  bool failed() const { return hasFailed; }
  bool has(llvm::StringRef key) const { return find(key) != nullptr; }

  /// An integer in [1, maxSize]. Without a fallback the key must be there.
  int64_t size(llvm::StringRef key, std::optional<int64_t> fallback = {});
  bool flag(llvm::StringRef key, bool fallback);
  /// A finite number above zero.
  double positive(llvm::StringRef key, double fallback);
  std::string text(llvm::StringRef key, llvm::StringRef fallback);
  /// The object under `key`, or null where it is absent.
  const llvm::json::Object *object(llvm::StringRef key);
  /// `value` as a finite number above zero, complaining as `positive` does.
  double positive(llvm::StringRef key, const llvm::json::Value &value);

  /// Complains that `key` `what`, for example "is 3, but must be even".
  void error(llvm::StringRef key, const llvm::Twine &what,
             llvm::StringRef hint);
  /// Complains about the file as a whole.
  void fileError(const llvm::Twine &what, llvm::StringRef hint);
  /// The place of a key, or of the file.
  mlir::Location place(llvm::StringRef key = {}) const;

private:
  const llvm::json::Value *find(llvm::StringRef key) const;
  mlir::Location placeAt(size_t offset) const;
  void emit(mlir::Location where, const llvm::Twine &message,
            llvm::StringRef hint);
  void load();
  /// Walks tokens of possibly malformed text: bounds the nesting, and records
  /// where the keys are and which of them is repeated.
  bool scan();

  llvm::StringRef json, fileName;
  mlir::MLIRContext &context;
  llvm::json::Object root;
  llvm::StringMap<size_t> keyOffsets; ///< of the outermost object
  std::optional<std::pair<std::string, size_t>> repeated;
  bool hasFailed = false;
};

} // namespace tpa

#endif // TPA_COMPILER_IMPORT_CONFIGREADER_H
