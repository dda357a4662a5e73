// Editors hear of errors in all three dialects' operations.
// RUN: tpa-lsp-server -lit-test < %s | FileCheck %s
{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"processId":123,"rootPath":"mlir","capabilities":{},"trace":"off"}}
// -----
{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"test:///good.mlir","languageId":"mlir","version":1,
  "text":"func.func @f(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {\n  %0 = tpa.softmax %x : tensor<2x3xf32>\n  return %0 : tensor<2x3xf32>\n}"}}}
// CHECK: "method": "textDocument/publishDiagnostics"
// CHECK-NEXT: "params": {
// CHECK-NEXT: "diagnostics": [],
// -----
{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"test:///tpa.mlir","languageId":"mlir","version":1,
  "text":"func.func @f(%x: tensor<2x3xf32>) {\n  %0 = tpa.einsum \"ab->ac\"(%x) : tensor<2x3xf32>\n  return\n}"}}}
// CHECK: "method": "textDocument/publishDiagnostics"
// CHECK: "message": "output label 'c' of equation \"ab->ac\" occurs in no term"
// -----
{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"test:///t6.mlir","languageId":"mlir","version":1,
  "text":"func.func @f() {\n  %0 = t6.param \"w\" \"(A B\" : tensor<?x?xf32>\n  return\n}"}}}
// CHECK: "method": "textDocument/publishDiagnostics"
// CHECK: "message": "'t6.param' op layout
// -----
{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"test:///exec.mlir","languageId":"mlir","version":1,
  "text":"func.func @f(%x: tensor<4xf32>) {\n  exec.dispatch @missing reads(%x : tensor<4xf32>) writes(%x : tensor<4xf32>)\n  return\n}"}}}
// CHECK: "method": "textDocument/publishDiagnostics"
// CHECK: "message": "'exec.dispatch' op on tensors has one result per write
// -----
{"jsonrpc":"2.0","id":3,"method":"shutdown"}
// -----
{"jsonrpc":"2.0","method":"exit"}
