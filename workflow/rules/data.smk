# In:  settings of the block `data`.  Out: results/data/{dataset}.parquet


rule planted_relu:
    input:
        stage_inputs("results/data/planted_relu.parquet"),
    output:
        table="results/data/planted_relu.parquet",
    params:
        command=stage_command("results/data/planted_relu.parquet"),
    log:
        "results/data/planted_relu.parquet.log",
    group: batch_of("results/data/planted_relu.parquet")
    priority: priority_of("results/data/planted_relu.parquet")
    resources:
        mem_mb=memory_of("results/data/planted_relu.parquet"),
        runtime=minutes_of("results/data/planted_relu.parquet"),
        gpu=gpus_of("results/data/planted_relu.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule mnist1d:
    input:
        stage_inputs("results/data/mnist1d.parquet"),
    output:
        table="results/data/mnist1d.parquet",
    params:
        command=stage_command("results/data/mnist1d.parquet"),
    log:
        "results/data/mnist1d.parquet.log",
    group: batch_of("results/data/mnist1d.parquet")
    priority: priority_of("results/data/mnist1d.parquet")
    resources:
        mem_mb=memory_of("results/data/mnist1d.parquet"),
        runtime=minutes_of("results/data/mnist1d.parquet"),
        gpu=gpus_of("results/data/mnist1d.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule diabetes:
    input:
        stage_inputs("results/data/diabetes.parquet"),
    output:
        table="results/data/diabetes.parquet",
    params:
        command=stage_command("results/data/diabetes.parquet"),
    log:
        "results/data/diabetes.parquet.log",
    group: batch_of("results/data/diabetes.parquet")
    priority: priority_of("results/data/diabetes.parquet")
    resources:
        mem_mb=memory_of("results/data/diabetes.parquet"),
        runtime=minutes_of("results/data/diabetes.parquet"),
        gpu=gpus_of("results/data/diabetes.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule synthetic_regression:
    input:
        stage_inputs("results/data/synthetic_regression.parquet"),
    output:
        table="results/data/synthetic_regression.parquet",
    params:
        command=stage_command("results/data/synthetic_regression.parquet"),
    log:
        "results/data/synthetic_regression.parquet.log",
    group: batch_of("results/data/synthetic_regression.parquet")
    priority: priority_of("results/data/synthetic_regression.parquet")
    resources:
        mem_mb=memory_of("results/data/synthetic_regression.parquet"),
        runtime=minutes_of("results/data/synthetic_regression.parquet"),
        gpu=gpus_of("results/data/synthetic_regression.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN


rule user_regression:
    input:
        stage_inputs("results/data/user_regression.parquet"),
    output:
        table="results/data/user_regression.parquet",
    params:
        command=stage_command("results/data/user_regression.parquet"),
    log:
        "results/data/user_regression.parquet.log",
    group: batch_of("results/data/user_regression.parquet")
    priority: priority_of("results/data/user_regression.parquet")
    resources:
        mem_mb=memory_of("results/data/user_regression.parquet"),
        runtime=minutes_of("results/data/user_regression.parquet"),
        gpu=gpus_of("results/data/user_regression.parquet"),
    conda:
        "../../envs/environment.yaml"
    shell:
        RUN
