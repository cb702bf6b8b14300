#!/bin/dash
#: c++
g++ -std=c++17 -O1 -pthread /suite/languages/cplusplus.cc -o p; echo $?; md5sum p; ./p; echo $?
#: go
export HOME=$PWD GOFLAGS=-trimpath GOCACHE=$PWD/cache GO111MODULE=off CGO_ENABLED=0; cp /suite/languages/goroutines.go .
go version; go vet goroutines.go; echo $?; go build -o p goroutines.go; echo $?; md5sum p; ./p; echo $?
#: cgo
export HOME=$PWD GOFLAGS=-trimpath GOCACHE=$PWD/cache GO111MODULE=off CGO_ENABLED=1; cp /suite/languages/cgo.go .
go build -o p cgo.go; echo $?; ./p; echo $?
#: rust
rustc --version; rustc -C linker=gcc -O --edition 2021 /suite/languages/program.rs -o p; echo $?; md5sum p; ./p; echo $?
