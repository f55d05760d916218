module github.com/trivet-net/trivet

go 1.26
