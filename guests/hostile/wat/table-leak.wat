;; Looks for what an earlier request left in the *table* and the *globals* of an instance, which no Rust program can write.
;; GET …/canary fills them and answers 201; GET …/scan answers 200 when they are empty, 409 when they are not.
;;
;; `$main` is written by hand; the rest is what wit-component makes around it for the world
;; `world w { export wasi:http/incoming-handler@0.2.12; }`.
(component
  (type $ty-wasi:http/types@0.2.12 (;0;)
    (instance
      (export (;0;) "incoming-request" (type (sub resource)))
      (export (;1;) "fields" (type (sub resource)))
      (export (;2;) "headers" (type (eq 1)))
      (export (;3;) "outgoing-response" (type (sub resource)))
      (type (;4;) u16)
      (export (;5;) "status-code" (type (eq 4)))
      (export (;6;) "outgoing-body" (type (sub resource)))
      (export (;7;) "trailers" (type (eq 1)))
      (type (;8;) (option string))
      (type (;9;) (option u16))
      (type (;10;) (record (field "rcode" 8) (field "info-code" 9)))
      (export (;11;) "DNS-error-payload" (type (eq 10)))
      (type (;12;) (option u8))
      (type (;13;) (record (field "alert-id" 12) (field "alert-message" 8)))
      (export (;14;) "TLS-alert-received-payload" (type (eq 13)))
      (type (;15;) (option u32))
      (type (;16;) (record (field "field-name" 8) (field "field-size" 15)))
      (export (;17;) "field-size-payload" (type (eq 16)))
      (type (;18;) (option u64))
      (type (;19;) (option 17))
      (type (;20;) (variant (case "DNS-timeout") (case "DNS-error" 11) (case "destination-not-found") (case "destination-unavailable") (case "destination-IP-prohibited") (case "destination-IP-unroutable") (case "connection-refused") (case "connection-terminated") (case "connection-timeout") (case "connection-read-timeout") (case "connection-write-timeout") (case "connection-limit-reached") (case "TLS-protocol-error") (case "TLS-certificate-error") (case "TLS-alert-received" 14) (case "HTTP-request-denied") (case "HTTP-request-length-required") (case "HTTP-request-body-size" 18) (case "HTTP-request-method-invalid") (case "HTTP-request-URI-invalid") (case "HTTP-request-URI-too-long") (case "HTTP-request-header-section-size" 15) (case "HTTP-request-header-size" 19) (case "HTTP-request-trailer-section-size" 15) (case "HTTP-request-trailer-size" 17) (case "HTTP-response-incomplete") (case "HTTP-response-header-section-size" 15) (case "HTTP-response-header-size" 17) (case "HTTP-response-body-size" 18) (case "HTTP-response-trailer-section-size" 15) (case "HTTP-response-trailer-size" 17) (case "HTTP-response-transfer-coding" 8) (case "HTTP-response-content-coding" 8) (case "HTTP-response-timeout") (case "HTTP-upgrade-failed") (case "HTTP-protocol-error") (case "loop-detected") (case "configuration-error") (case "internal-error" 8)))
      (export (;21;) "error-code" (type (eq 20)))
      (export (;22;) "response-outparam" (type (sub resource)))
      (type (;23;) (own 1))
      (type (;24;) (func (result 23)))
      (export (;0;) "[constructor]fields" (func (type 24)))
      (type (;25;) (borrow 0))
      (type (;26;) (func (param "self" 25) (result 8)))
      (export (;1;) "[method]incoming-request.path-with-query" (func (type 26)))
      (type (;27;) (own 22))
      (type (;28;) (own 3))
      (type (;29;) (result 28 (error 21)))
      (type (;30;) (func (param "param" 27) (param "response" 29)))
      (export (;2;) "[static]response-outparam.set" (func (type 30)))
      (type (;31;) (own 2))
      (type (;32;) (func (param "headers" 31) (result 28)))
      (export (;3;) "[constructor]outgoing-response" (func (type 32)))
      (type (;33;) (borrow 3))
      (type (;34;) (result))
      (type (;35;) (func (param "self" 33) (param "status-code" 5) (result 34)))
      (export (;4;) "[method]outgoing-response.set-status-code" (func (type 35)))
      (type (;36;) (own 6))
      (type (;37;) (result 36))
      (type (;38;) (func (param "self" 33) (result 37)))
      (export (;5;) "[method]outgoing-response.body" (func (type 38)))
      (type (;39;) (own 7))
      (type (;40;) (option 39))
      (type (;41;) (result (error 21)))
      (type (;42;) (func (param "this" 36) (param "trailers" 40) (result 41)))
      (export (;6;) "[static]outgoing-body.finish" (func (type 42)))
    )
  )
  (import "wasi:http/types@0.2.12" (instance $wasi:http/types@0.2.12 (;0;) (type $ty-wasi:http/types@0.2.12)))
  (core module $main (;0;)
    (type (;0;) (func (param i32 i32)))
    (type (;1;) (func (param i32)))
    (type (;2;) (func (result i32)))
    (type (;3;) (func (param i32) (result i32)))
    (type (;4;) (func (param i32 i32) (result i32)))
    (type (;5;) (func (param i32 i32 i32 i32)))
    (type (;6;) (func (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (type (;7;) (func))
    (type (;8;) (func (param i32 i32 i32 i32) (result i32)))
    (import "wasi:http/types@0.2.12" "[method]incoming-request.path-with-query" (func $path (;0;) (type 0)))
    (import "wasi:http/types@0.2.12" "[resource-drop]incoming-request" (func $drop-request (;1;) (type 1)))
    (import "wasi:http/types@0.2.12" "[constructor]fields" (func $fields (;2;) (type 2)))
    (import "wasi:http/types@0.2.12" "[constructor]outgoing-response" (func $response (;3;) (type 3)))
    (import "wasi:http/types@0.2.12" "[method]outgoing-response.set-status-code" (func $set-status (;4;) (type 4)))
    (import "wasi:http/types@0.2.12" "[method]outgoing-response.body" (func $body (;5;) (type 0)))
    (import "wasi:http/types@0.2.12" "[static]outgoing-body.finish" (func $finish (;6;) (type 5)))
    (import "wasi:http/types@0.2.12" "[static]response-outparam.set" (func $set (;7;) (type 6)))
    (table $table (;0;) 8192 funcref)
    (memory (;0;) 1)
    (global $free (;0;) (mut i32) i32.const 1024)
    (global $number (mut i64) i64.const 0)
    (global $vector (mut v128) v128.const i64x2 0 0)
    (global $function (mut funcref) ref.null func)
    (export "memory" (memory 0))
    (export "cabi_realloc" (func 9))
    (export "wasi:http/incoming-handler@0.2.12#handle" (func 12))
    (elem (;0;) declare func $mark)
    (func $mark (;8;) (type 7))
    (func (;9;) (type 8) (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      global.get $free
      i32.const 7
      i32.add
      i32.const -8
      i32.and
      local.set $at
      local.get $at
      local.get $size
      i32.add
      global.set $free
      local.get $at
    )
    (func $occupied (;10;) (type 2) (result i32)
      (local $at i32) (local $count i32)
      global.get $number
      i64.const 0
      i64.ne
      global.get $vector
      v128.any_true
      i32.or
      global.get $function
      ref.is_null
      i32.eqz
      i32.or
      local.set $count
      loop $next
        local.get $at
        table.get $table
        ref.is_null
        i32.eqz
        if ;; label = @2
          local.get $count
          i32.const 1
          i32.add
          local.set $count
        end
        local.get $at
        i32.const 1
        i32.add
        local.set $at
        local.get $at
        i32.const 8192
        i32.lt_u
        br_if $next
      end
      local.get $count
    )
    (func $answer (;11;) (type 3) (param $last i32) (result i32)
      local.get $last
      i32.const 121
      i32.eq
      if (result i32) ;; label = @1
        i32.const 0
        ref.func $mark
        i32.const 8192
        table.fill $table
        i64.const 0x6d696e74
        global.set $number
        v128.const i64x2 0x6d696e74 0x6d696e74
        global.set $vector
        ref.func $mark
        global.set $function
        i32.const 201
      else
        i32.const 409
        i32.const 200
        call $occupied
        select
      end
    )
    (func (;12;) (type 0) (param $request i32) (param $out i32)
      (local $response i32)
      local.get $request
      i32.const 0
      call $path
      local.get $request
      call $drop-request
      call $fields
      call $response
      local.set $response
      local.get $response
      i32.const 4
      i32.load
      i32.const 8
      i32.load
      i32.add
      i32.const 1
      i32.sub
      i32.load8_u
      call $answer
      call $set-status
      drop
      local.get $response
      i32.const 16
      call $body
      local.get $out
      i32.const 0
      local.get $response
      i32.const 0
      i64.const 0
      i32.const 0
      i32.const 0
      i32.const 0
      i32.const 0
      call $set
      i32.const 20
      i32.load
      i32.const 0
      i32.const 0
      i32.const 64
      call $finish
    )
  )
  (core module $wit-component-shim-module (;1;)
    (type (;0;) (func (param i32 i32)))
    (type (;1;) (func (param i32 i32 i32 i32)))
    (type (;2;) (func (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (table (;0;) 4 4 funcref)
    (export "0" (func 0))
    (export "1" (func 1))
    (export "2" (func 2))
    (export "3" (func 3))
    (export "$imports" (table 0))
    (func (;0;) (type 0) (param i32 i32)
      local.get 0
      local.get 1
      i32.const 0
      call_indirect (type 0)
    )
    (func (;1;) (type 0) (param i32 i32)
      local.get 0
      local.get 1
      i32.const 1
      call_indirect (type 0)
    )
    (func (;2;) (type 1) (param i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      i32.const 2
      call_indirect (type 1)
    )
    (func (;3;) (type 2) (param i32 i32 i32 i32 i64 i32 i32 i32 i32)
      local.get 0
      local.get 1
      local.get 2
      local.get 3
      local.get 4
      local.get 5
      local.get 6
      local.get 7
      local.get 8
      i32.const 3
      call_indirect (type 2)
    )
  )
  (core instance $wit-component-shim-instance (;0;) (instantiate $wit-component-shim-module))
  (alias export $wasi:http/types@0.2.12 "incoming-request" (type $incoming-request (;1;)))
  (alias export $wasi:http/types@0.2.12 "response-outparam" (type $response-outparam (;2;)))
  (alias core export $wit-component-shim-instance "0" (core func $"indirect-wasi:http/types@0.2.12-[method]incoming-request.path-with-query" (;0;)))
  (alias export $wasi:http/types@0.2.12 "incoming-request" (type $"#type3 incoming-request" (@name "incoming-request") (;3;)))
  (core func $resource.drop (;1;) (canon resource.drop $"#type3 incoming-request"))
  (alias export $wasi:http/types@0.2.12 "[constructor]fields" (func $"[constructor]fields" (;0;)))
  (core func $"[constructor]fields" (;2;) (canon lower (func $"[constructor]fields")))
  (alias export $wasi:http/types@0.2.12 "[constructor]outgoing-response" (func $"[constructor]outgoing-response" (;1;)))
  (core func $"[constructor]outgoing-response" (;3;) (canon lower (func $"[constructor]outgoing-response")))
  (alias export $wasi:http/types@0.2.12 "[method]outgoing-response.set-status-code" (func $"[method]outgoing-response.set-status-code" (;2;)))
  (core func $"[method]outgoing-response.set-status-code" (;4;) (canon lower (func $"[method]outgoing-response.set-status-code")))
  (alias core export $wit-component-shim-instance "1" (core func $"indirect-wasi:http/types@0.2.12-[method]outgoing-response.body" (;5;)))
  (alias core export $wit-component-shim-instance "2" (core func $"indirect-wasi:http/types@0.2.12-[static]outgoing-body.finish" (;6;)))
  (alias core export $wit-component-shim-instance "3" (core func $"indirect-wasi:http/types@0.2.12-[static]response-outparam.set" (;7;)))
  (core instance $wasi:http/types@0.2.12 (;1;)
    (export "[method]incoming-request.path-with-query" (func $"indirect-wasi:http/types@0.2.12-[method]incoming-request.path-with-query"))
    (export "[resource-drop]incoming-request" (func $resource.drop))
    (export "[constructor]fields" (func $"[constructor]fields"))
    (export "[constructor]outgoing-response" (func $"[constructor]outgoing-response"))
    (export "[method]outgoing-response.set-status-code" (func $"[method]outgoing-response.set-status-code"))
    (export "[method]outgoing-response.body" (func $"indirect-wasi:http/types@0.2.12-[method]outgoing-response.body"))
    (export "[static]outgoing-body.finish" (func $"indirect-wasi:http/types@0.2.12-[static]outgoing-body.finish"))
    (export "[static]response-outparam.set" (func $"indirect-wasi:http/types@0.2.12-[static]response-outparam.set"))
  )
  (core instance $main (;2;) (instantiate $main
      (with "wasi:http/types@0.2.12" (instance $wasi:http/types@0.2.12))
    )
  )
  (alias core export $main "memory" (core memory $memory (;0;)))
  (core module $wit-component-fixup (;2;)
    (type (;0;) (func (param i32 i32)))
    (type (;1;) (func (param i32 i32 i32 i32)))
    (type (;2;) (func (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "actual" "0" (func (;0;) (type 0)))
    (import "actual" "1" (func (;1;) (type 0)))
    (import "actual" "2" (func (;2;) (type 1)))
    (import "actual" "3" (func (;3;) (type 2)))
    (import "shim" "$imports" (table (;0;) 4 4 funcref))
    (elem (;0;) (i32.const 0) func 0 1 2 3)
  )
  (alias export $wasi:http/types@0.2.12 "[method]incoming-request.path-with-query" (func $"[method]incoming-request.path-with-query" (;3;)))
  (alias core export $main "cabi_realloc" (core func $cabi_realloc (;8;)))
  (core func $"#core-func9 indirect-wasi:http/types@0.2.12-[method]incoming-request.path-with-query" (@name "indirect-wasi:http/types@0.2.12-[method]incoming-request.path-with-query") (;9;) (canon lower (func $"[method]incoming-request.path-with-query") (memory $memory) (realloc $cabi_realloc) string-encoding=utf8))
  (alias export $wasi:http/types@0.2.12 "[method]outgoing-response.body" (func $"[method]outgoing-response.body" (;4;)))
  (core func $"#core-func10 indirect-wasi:http/types@0.2.12-[method]outgoing-response.body" (@name "indirect-wasi:http/types@0.2.12-[method]outgoing-response.body") (;10;) (canon lower (func $"[method]outgoing-response.body") (memory $memory)))
  (alias export $wasi:http/types@0.2.12 "[static]outgoing-body.finish" (func $"[static]outgoing-body.finish" (;5;)))
  (core func $"#core-func11 indirect-wasi:http/types@0.2.12-[static]outgoing-body.finish" (@name "indirect-wasi:http/types@0.2.12-[static]outgoing-body.finish") (;11;) (canon lower (func $"[static]outgoing-body.finish") (memory $memory) (realloc $cabi_realloc) string-encoding=utf8))
  (alias export $wasi:http/types@0.2.12 "[static]response-outparam.set" (func $"[static]response-outparam.set" (;6;)))
  (core func $"#core-func12 indirect-wasi:http/types@0.2.12-[static]response-outparam.set" (@name "indirect-wasi:http/types@0.2.12-[static]response-outparam.set") (;12;) (canon lower (func $"[static]response-outparam.set") (memory $memory) string-encoding=utf8))
  (core instance $actual (;3;)
    (export "0" (func $"#core-func9 indirect-wasi:http/types@0.2.12-[method]incoming-request.path-with-query"))
    (export "1" (func $"#core-func10 indirect-wasi:http/types@0.2.12-[method]outgoing-response.body"))
    (export "2" (func $"#core-func11 indirect-wasi:http/types@0.2.12-[static]outgoing-body.finish"))
    (export "3" (func $"#core-func12 indirect-wasi:http/types@0.2.12-[static]response-outparam.set"))
  )
  (core instance $fixup (;4;) (instantiate $wit-component-fixup
      (with "actual" (instance $actual))
      (with "shim" (instance $wit-component-shim-instance))
    )
  )
  (type (;4;) (own $incoming-request))
  (type (;5;) (own $response-outparam))
  (type (;6;) (func (param "request" 4) (param "response-out" 5)))
  (alias core export $main "wasi:http/incoming-handler@0.2.12#handle" (core func $wasi:http/incoming-handler@0.2.12#handle (;13;)))
  (func $handle (;7;) (type 6) (canon lift (core func $wasi:http/incoming-handler@0.2.12#handle)))
  (component $wasi:http/incoming-handler@0.2.12-shim-component (;0;)
    (import "import-type-incoming-request" (type (;0;) (sub resource)))
    (import "import-type-response-outparam" (type (;1;) (sub resource)))
    (import "import-type-incoming-request0" (type (;2;) (eq 0)))
    (type (;3;) (own 2))
    (import "import-type-response-outparam0" (type (;4;) (eq 1)))
    (type (;5;) (own 4))
    (type (;6;) (func (param "request" 3) (param "response-out" 5)))
    (import "import-func-handle" (func (;0;) (type 6)))
    (export (;7;) "incoming-request" (type 0))
    (export (;8;) "response-outparam" (type 1))
    (type (;9;) (own 7))
    (type (;10;) (own 8))
    (type (;11;) (func (param "request" 9) (param "response-out" 10)))
    (export (;1;) "handle" (func 0) (func (type 11)))
  )
  (instance $wasi:http/incoming-handler@0.2.12-shim-instance (;1;) (instantiate $wasi:http/incoming-handler@0.2.12-shim-component
      (with "import-func-handle" (func $handle))
      (with "import-type-incoming-request" (type $incoming-request))
      (with "import-type-response-outparam" (type $response-outparam))
      (with "import-type-incoming-request0" (type $incoming-request))
      (with "import-type-response-outparam0" (type $response-outparam))
    )
  )
  (export $wasi:http/incoming-handler@0.2.12 (;2;) "wasi:http/incoming-handler@0.2.12" (instance $wasi:http/incoming-handler@0.2.12-shim-instance))
)
