# Set-up shared by run.ps1 and test.ps1. UNTESTED: written beside setup.sh, never run on Windows yet.

$ErrorActionPreference = 'Stop'
$Root = Split-Path -Parent $PSScriptRoot
$Venv = Join-Path $Root '.venv'
$Python = Join-Path $Venv 'Scripts\python.exe'
$TorchVersion = '2.13.0'
$TorchWheels = 'https://download.pytorch.org/whl/torch/'

function Say([string] $Text) { Write-Host "hearth: $Text" }

function Stop-With([string] $What, [string] $Do) {
    Write-Host "hearth: $What`n        $Do"
    exit 1
}

function Find-Python {
    foreach ($version in '3.13', '3.12', '3.11') {
        if (Get-Command py -ErrorAction SilentlyContinue) {
            & py "-$version" -c 'pass' 2>$null
            if ($LASTEXITCODE -eq 0) { return @('py', "-$version") }
        }
    }
    if (Get-Command python -ErrorAction SilentlyContinue) {
        & python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>$null
        if ($LASTEXITCODE -eq 0) { return @('python') }
    }
    Stop-With 'Hearth needs Python 3.11 or newer, and none was found.' 'winget install Python.Python.3.12'
}

function Test-Nvidia {
    if (-not (Get-Command nvidia-smi -ErrorAction SilentlyContinue)) { return $false }
    & nvidia-smi -L *> $null
    return $LASTEXITCODE -eq 0
}

function Install-Torch {
    $wanted = if ($env:HEARTH_TORCH) { $env:HEARTH_TORCH } elseif (Test-Nvidia) { 'cuda' } else { 'cpu' }
    Say "installing PyTorch ($wanted)"
    if ($wanted -eq 'cuda') {
        # PyPI's wheel for Windows has no CUDA; PyTorch's own page has.
        & $Python -m pip install --quiet --find-links $TorchWheels "torch==$TorchVersion+cu130"
    } else {
        & $Python -m pip install --quiet "torch==$TorchVersion"
    }
    if ($LASTEXITCODE -ne 0) {
        Stop-With 'PyTorch could not be installed; nothing was started.' `
            'Check the network and the disk, or accept the CPU build: $env:HEARTH_TORCH="cpu"'
    }
}

function Install-Hearth([string] $What) {
    $mark = Join-Path $Venv 'hearth-installed'
    $files = 'pyproject.toml', 'packaging\constraints.txt', 'packaging\setup.ps1'
    $print = ($files | ForEach-Object { (Get-FileHash (Join-Path $Root $_)).Hash }) -join ''
    $print = "$print $What $env:HEARTH_TORCH"
    if ((Test-Path $mark) -and (Get-Content $mark -Raw).Trim() -eq $print.Trim()) { return }
    if (Test-Path $mark) { Remove-Item $mark }
    if (-not (Test-Path $Python)) {
        $base = @(Find-Python)
        $rest = @($base | Select-Object -Skip 1) + @('-m', 'venv', $Venv)
        & $base[0] @rest
    }
    Install-Torch
    Say 'installing Hearth and what it needs (some minutes the first time)'
    Push-Location $Root
    & $Python -m pip install --quiet --constraint packaging\constraints.txt --editable $What
    $failed = $LASTEXITCODE -ne 0
    Pop-Location
    if ($failed) {
        Stop-With 'The installation did not finish. What was downloaded is kept.' `
            'Check the network and the disk, then run this again.'
    }
    Set-Content -Path $mark -Value $print
}
