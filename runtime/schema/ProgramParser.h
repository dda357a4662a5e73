//===- ProgramParser.h - The reader of program.json -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Private to runtime/schema: parseProgram in Program.h is the way in.
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_SCHEMA_PROGRAMPARSER_H
#define T6_RUNTIME_SCHEMA_PROGRAMPARSER_H

#include "runtime/schema/JsonPlace.h"
#include "runtime/schema/Program.h"

#include "absl/container/flat_hash_set.h"

namespace t6 {

/// Fills `program` from a document whose schema version has been checked. What
/// is wrong goes to the errors; `program` is valid only when there are none.
class ProgramParser {
public:
  ProgramParser(const nlohmann::json &root, JsonErrors &errors);
  void parse();

  Program program;

private:
  static constexpr size_t kMaxRank = 8;

  DType parseElementType(const JsonPlace &place);
  Extent parseExtent(const JsonPlace &place);
  void parseModel(const JsonPlace &place);
  void parseOptions(const JsonPlace &place);
  void parseCpu(const JsonPlace &place);
  void parseFiles(const JsonPlace &place);
  void parseKernels(const JsonPlace &place);
  void parseBuffer(const JsonPlace &place);
  Init parseInit(const JsonPlace &place);
  void parseParam(Buffer &buffer, const JsonPlace &place);
  void pairScales(const JsonPlace &buffers);
  void parseConstant(Buffer &buffer, const JsonPlace &place);
  void parseRange(Buffer &buffer, const JsonPlace &place);
  void checkUnownedPorts();
  /// Sets `maxBytes` and adds it to the program's total; false on overflow.
  bool computeMaxBytes(Buffer &buffer, absl::Span<const int64_t> maxima,
                       const JsonPlace &place);

  void parseEntries();
  void parseEntry(const JsonPlace &place);
  std::vector<Port> parsePorts(const JsonPlace &place, BufferKind kind);
  void parseScalar(Entry &entry, const JsonPlace &place);
  void parseEnd(const Entry &entry, Scalar &scalar, const JsonPlace &place);
  void resolvePorts(const Entry &entry);
  void resolve(const Entry &entry, Extent &extent, const JsonPlace &place);
  int findScalar(const Entry &entry, const JsonPlace &place);
  int findInput(const Entry &entry, const JsonPlace &place);
  void parseDispatch(Entry &entry, const JsonPlace &place);
  void parseGrid(const Entry &entry, Dispatch &dispatch,
                 const JsonPlace &place);
  void parseBindings(Dispatch &dispatch, const JsonPlace &place);
  void parseWrites(Dispatch &dispatch, const JsonPlace &place);
  CostPolynomial parseCost(const Entry &entry, const JsonPlace &place);

  JsonPlace root;
  int64_t totalBytes = 0;
  int currentEntry = 0;
  absl::flat_hash_set<std::string> bufferNames;
};

} // namespace t6

#endif // T6_RUNTIME_SCHEMA_PROGRAMPARSER_H
