//===- NumberText.h - Numbers as Python prints them -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_TRAIN_NUMBERTEXT_H
#define T6_RUNTIME_TRAIN_NUMBERTEXT_H

#include <string>

namespace t6 {

/// The shortest decimal that reads back as `value`, spelled as Python's repr():
/// "0.0006", "3e-05", "1.0", "nan", "-inf". Names of runs contain it.
std::string pythonNumber(double value);

} // namespace t6

#endif // T6_RUNTIME_TRAIN_NUMBERTEXT_H
