// Where the search for a cut ends.
// RUN: tpa-opt %s --tpa-compose-attention --remarks-filter=tpa --remark-format=emitRemark 2>&1 >/dev/null | FileCheck %s

// Every value doubles the cuts: 1024 of them are tried.
// CHECK: [Missed] cache-cut {{.*}}Reason="keys and values have too many producers to try all cuts", Suggestion="pin the cache", cuts=1024
// CHECK: [Analysis] cache-cut {{.*}} cuts=1024
func.func @many_producers(%x0: tensor<1x?x8xf32>, %x1: tensor<1x?x8xf32>, %x2: tensor<1x?x8xf32>, %x3: tensor<1x?x8xf32>, %x4: tensor<1x?x8xf32>, %x5: tensor<1x?x8xf32>, %x6: tensor<1x?x8xf32>, %x7: tensor<1x?x8xf32>, %x8: tensor<1x?x8xf32>, %x9: tensor<1x?x8xf32>, %x10: tensor<1x?x8xf32>, %q: tensor<1x?x8xf32>) -> tensor<1x?x8xf32> {
  %y0 = tpa.einsum "bmd->bmd"(%x0) {scale = 2.0 : f64} : tensor<1x?x8xf32>
  %y1 = tpa.einsum "bmd->bmd"(%x1) {scale = 2.0 : f64} : tensor<1x?x8xf32>
  %y2 = tpa.einsum "bmd->bmd"(%x2) {scale = 2.0 : f64} : tensor<1x?x8xf32>
  %y3 = tpa.einsum "bmd->bmd"(%x3) {scale = 2.0 : f64} : tensor<1x?x8xf32>
  %y4 = tpa.einsum "bmd->bmd"(%x4) {scale = 2.0 : f64} : tensor<1x?x8xf32>
  %y5 = tpa.einsum "bmd->bmd"(%x5) {scale = 2.0 : f64} : tensor<1x?x8xf32>
  %y6 = tpa.einsum "bmd->bmd"(%x6) {scale = 2.0 : f64} : tensor<1x?x8xf32>
  %y7 = tpa.einsum "bmd->bmd"(%x7) {scale = 2.0 : f64} : tensor<1x?x8xf32>
  %y8 = tpa.einsum "bmd->bmd"(%x8) {scale = 2.0 : f64} : tensor<1x?x8xf32>
  %y9 = tpa.einsum "bmd->bmd"(%x9) {scale = 2.0 : f64} : tensor<1x?x8xf32>
  %y10 = tpa.einsum "bmd->bmd"(%x10) {scale = 2.0 : f64} : tensor<1x?x8xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%q, %q) value "bnm,bme,bme,bme,bme,bme,bme,bme,bme,bme,bme,bme->bne"(%y0, %y1, %y2, %y3, %y4, %y5, %y6, %y7, %y8, %y9, %y10)
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>)
  return %o : tensor<1x?x8xf32>
}

// The weight and 11 factors are as many operands as the search takes: none may become two.
// CHECK: [Missed] cache-cut {{.*}}Reason="an equation would have more operands than the search for its order takes", Suggestion="write fewer factors", cuts=1
// CHECK: [Analysis] cache-cut {{.*}} cuts=1, rivals=
func.func @many_operands(%x: tensor<1x?x8xf32>, %c: tensor<1x?x2xf32>, %w: tensor<8x2xf32>, %q: tensor<1x?x8xf32>) -> tensor<1x?x8xf32> {
  %y = tpa.einsum "bmc,dc->bmd"(%c, %w) : tensor<1x?x2xf32>, tensor<8x2xf32>
  %o = tpa.attention ["bnd,bmd->bnm"](%q, %q) value "bnm,bme,bme,bme,bme,bme,bme,bme,bme,bme,bme,bme->bne"(%y, %x, %x, %x, %x, %x, %x, %x, %x, %x, %x)
      : (tensor<1x?x8xf32>, tensor<1x?x8xf32>), (tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>, tensor<1x?x8xf32>)
  return %o : tensor<1x?x8xf32>
}
