;; Troubles between the host and the guest's code, where no Rust program gets. What stands in `(;…;)` is put in by the test.
(component
  (core module $main
    (memory (export "memory") 1)
    (table $many 1 funcref)
    (global $free (mut i32) (i32.const 4096))
    (func $at-start (;start;))
    (start $at-start)
    (func $in-realloc (;realloc;))
    (func $in-handle (;handle;))
    (func $in-post-return (;post-return;))
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (call $in-realloc)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get $size)))
      (local.get $at))
    (func (export "handle") (param $request i32) (result i32)
      (call $in-handle)
      (i32.const 1024))
    (func (export "post-return") (param $answer i32)
      (call $in-post-return))
    ;; Some, 200, no headers, no body.
    (data (i32.const 1024) "\01\00\00\00\c8\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00"))
  (core instance $main (instantiate $main))
  (alias core export $main "memory" (core memory $memory))
  (alias core export $main "realloc" (core func $realloc))
  (alias core export $main "handle" (core func $core-handle))
  (alias core export $main "post-return" (core func $post-return))
  (type $person (record
    (field "user-id" s64) (field "username" string) (field "role" string) (field "plugin-role" (option string)) (field "permissions" string)))
  (type $request (record
    (field "method" string) (field "target" string) (field "prefix" string) (field "id" string) (field "person" (option $person))))
  (type $response (record
    (field "status" u16) (field "headers" (list (tuple string string))) (field "body" (list u8))))
  (func $handle (param "request" $request) (result (option $response))
    (canon lift (core func $core-handle) (memory $memory) (realloc $realloc) (post-return $post-return)))
  (component $names
    (type $a-person (record
      (field "user-id" s64) (field "username" string) (field "role" string) (field "plugin-role" (option string)) (field "permissions" string)))
    (import "import-type-person" (type $person (eq $a-person)))
    (type $a-request (record
      (field "method" string) (field "target" string) (field "prefix" string) (field "id" string) (field "person" (option $person))))
    (import "import-type-request" (type $request (eq $a-request)))
    (type $a-response (record
      (field "status" u16) (field "headers" (list (tuple string string))) (field "body" (list u8))))
    (import "import-type-response" (type $response (eq $a-response)))
    (import "import-func-handle" (func $handle (param "request" $request) (result (option $response))))
    (export $its-person "person" (type $person))
    (type $told (record
      (field "method" string) (field "target" string) (field "prefix" string) (field "id" string) (field "person" (option $its-person))))
    (export $its-request "request" (type $told))
    (export $its-response "response" (type $response))
    (export "handle" (func $handle) (func (param "request" $its-request) (result (option $its-response)))))
  (instance $routes (instantiate $names
    (with "import-type-person" (type $person))
    (with "import-type-request" (type $request))
    (with "import-type-response" (type $response))
    (with "import-func-handle" (func $handle))))
  (export "mint:plugin/routes@1.0.0" (instance $routes)))
